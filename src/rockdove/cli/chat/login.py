"""Who the user is and where the server is: what the commands that chat have in common."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from rockdove.cli.chat.outboxes import outbox_path, start_client
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.cli.terminal import printable
from rockdove.client import Client, Disconnected, Refused, RockdoveError
from rockdove.locale import LANGUAGES, Texts, choose_language, load_texts

User = Annotated[str, typer.Option(metavar="NAME", envvar="ROCKDOVE_USER", help="Who you are.")]
Server = Annotated[
    str,
    typer.Option(
        metavar="HOST[:PORT],…", envvar="ROCKDOVE_SERVER", help="Where the server is, or its nodes, with commas between them."
    ),
]
Tls = Annotated[bool, typer.Option("--tls", help="Connect in TLS. SSL_CERT_FILE names a certificate authority of your own.")]
Org = Annotated[str, typer.Option("--org", metavar="ORG", help="Organisation of the tenant.")]
App = Annotated[str, typer.Option("--app", metavar="APPKEY", help="Appkey of the tenant.")]
Device = Annotated[str | None, typer.Option(metavar="ID", help="Name of this device, if not the one kept on this computer.")]
Lang = Annotated[str | None, typer.Option(metavar="LANG", help="en or zh, if not the locale's.")]


@dataclass(frozen=True, slots=True)
class Account:
    """What these options say."""

    server: str
    user: str
    password: str
    org: str
    appkey: str
    device: str | None
    tls: bool

    def start_client(self, name: str) -> Client:
        """A client on the outbox file that belongs to the account; operators see `name`. Raises OutboxUnusable, ValueError."""

        def make(outbox: Path) -> Client:
            return Client(
                self.server,
                user=self.user,
                token=self.password,
                org=self.org,
                appkey=self.appkey,
                device=self.device,
                tls=self.tls,
                outbox=outbox,
                client=name,
            )

        path = outbox_path(self.user, self.org, self.appkey, self.server, self.device)
        return start_client(make, path, fixed=self.device is not None)


def choose_texts(language: str | None, part: str = "") -> Texts:
    """Those of --lang, or of the locale, for a part of `rockdove.locale`. Raises CommandError."""
    language = language or choose_language(os.environ)
    if language not in LANGUAGES:
        raise wrong_usage(f"--lang takes {' or '.join(LANGUAGES)}, not {language!r}")
    return load_texts(language, part)


def read_password(user: str, lines: Iterator[str] | None, texts: Texts) -> str:
    """From the first of `lines` if given, the environment, or the one who sits at the terminal. Raises CommandError."""
    password = next(lines, "") if lines else os.environ.get("ROCKDOVE_PASSWORD", "")
    if not password and not lines and sys.stdin.isatty():
        password = getpass(texts["password"].format(user=user))
    if not password:
        raise wrong_usage("there is no password: put it into ROCKDOVE_PASSWORD, or into the first line with --password-stdin")
    return password


def run(work: Coroutine[Any, Any, int]) -> int:
    """Returns the exit code. Raises CommandError for what the client raises."""
    try:
        return asyncio.run(work)
    except ValueError as error:
        raise wrong_usage(str(error)) from None
    except RockdoveError as error:
        cause = error.__cause__ or error
        reason = cause.reason if isinstance(cause, Refused | Disconnected) else ""
        raise CommandError(printable(reason or str(cause))) from None
