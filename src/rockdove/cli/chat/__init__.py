"""rockdove chat: talk in a terminal, or through a pipe."""

import asyncio
import os
import sys
from collections.abc import Iterator
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from rockdove.cli.chat.outboxes import outbox_path, start_client
from rockdove.cli.chat.peer import parse_peer
from rockdove.cli.chat.pipe import Limits, Pipe, read_lines
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.cli.terminal import printable
from rockdove.client import Client, Disconnected, Refused, RockdoveError
from rockdove.locale import LANGUAGES, Texts, choose_language, load_texts


def chat(
    user: Annotated[str, typer.Option(metavar="NAME", envvar="ROCKDOVE_USER", help="Who you are.")],
    to: Annotated[str, typer.Option(metavar="NAME", help="Whom to talk to; #NAME is a group.")] = "",
    group: Annotated[str, typer.Option(metavar="ID", help="The group to talk in, the same as --to '#ID'.")] = "",
    server: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", envvar="ROCKDOVE_SERVER", help="Where the server is.")
    ] = "127.0.0.1",
    tls: Annotated[
        bool, typer.Option("--tls", help="Connect in TLS. SSL_CERT_FILE names a certificate authority of your own.")
    ] = False,
    org: Annotated[str, typer.Option("--org", metavar="ORG", help="Organisation of the tenant.")] = "default",
    app: Annotated[str, typer.Option("--app", metavar="APPKEY", help="Appkey of the tenant.")] = "default",
    device: Annotated[
        str | None, typer.Option(metavar="ID", help="Name of this device, if not the one kept on this computer.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
    lang: Annotated[str | None, typer.Option(metavar="LANG", help="en or zh, if not the locale's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Through a pipe: print one JSON object per line.")] = False,
    linger: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Through a pipe: receive for this long after the input ends.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Through a pipe: end when N messages were received.")
    ] = None,
) -> int:
    """Chat in this terminal; /help there tells the rest.

    Through a pipe each line of the input is a message to the one named by --to, and each message received is printed as a
    line. When the input ends, the command waits until the server has stored every message, and exits with 0.

    The password is asked for, or taken from ROCKDOVE_PASSWORD, or read with --password-stdin.
    """
    texts = _texts(lang)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive and (as_json or count or linger is not None):
        raise wrong_usage("--json, --linger and --count are for use through a pipe; here the terminal is both its ends")
    if to and group:
        raise wrong_usage("--to and --group name two conversations: give one of them")
    lines = read_lines()
    password = _password(user, lines if password_stdin else None, texts)

    def make_client(outbox: Path) -> Client:
        return Client(
            server,
            user=user,
            token=password,
            org=org,
            appkey=app,
            device=device,
            tls=tls,
            outbox=outbox,
            client="rockdove chat",
        )

    async def talk() -> int:
        name = f"#{group}" if group else to
        peer = parse_peer(name) if name else None
        client = start_client(make_client, outbox_path(user, org, app, server, device), fixed=device is not None)
        try:
            await client.connected()
            if interactive:
                from rockdove.cli.chat.talk import Talk  # prompt_toolkit: a pipe does without

                return await Talk(client, texts).run(peer)
            return await Pipe(client, peer, texts, as_json=as_json).run(lines, Limits(linger, count))
        finally:
            await client.close()
            if unsent := len(client.unsent()):
                print(texts["still_unsent"].format(count=unsent), file=sys.stderr)

    try:
        return asyncio.run(talk())
    except ValueError as error:
        raise wrong_usage(str(error)) from None
    except RockdoveError as error:
        cause = error.__cause__ or error
        reason = cause.reason if isinstance(cause, Refused | Disconnected) else ""
        raise CommandError(printable(reason or str(cause))) from None


def _texts(language: str | None) -> Texts:
    language = language or choose_language(os.environ)
    if language not in LANGUAGES:
        raise wrong_usage(f"--lang takes {' or '.join(LANGUAGES)}, not {language!r}")
    return load_texts(language)


def _password(user: str, lines: Iterator[str] | None, texts: Texts) -> str:
    """From the first of `lines` if given, the environment, or the one who sits at the terminal."""
    password = next(lines, "") if lines else os.environ.get("ROCKDOVE_PASSWORD", "")
    if not password and not lines and sys.stdin.isatty():
        password = getpass(texts["password"].format(user=user))
    if not password:
        raise wrong_usage("there is no password: put it into ROCKDOVE_PASSWORD, or into the first line with --password-stdin")
    return password
