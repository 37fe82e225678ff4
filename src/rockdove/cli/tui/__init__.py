"""rockdove tui: all conversations on one screen of the terminal."""

import sys
from typing import Annotated

import typer

from rockdove.cli.chat import login
from rockdove.cli.chat.peer import parse_peer
from rockdove.cli.errors import wrong_usage


def tui(
    user: login.User,
    to: Annotated[str, typer.Option(metavar="NAME", help="Whom to talk to first; #NAME is a group.")] = "",
    server: login.Server = "127.0.0.1",
    tls: login.Tls = False,
    org: login.Org = "default",
    app: login.App = "default",
    device: login.Device = None,
    lang: login.Lang = None,
) -> int:
    """Chat on the whole screen: conversations, messages and members side by side; the keys stand in the last row.

    The password is asked for, or taken from ROCKDOVE_PASSWORD.
    """
    from rockdove.cli.tui.app import TuiApp  # textual: --help does without

    texts = login.choose_texts(lang)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise wrong_usage("this needs a terminal: use `rockdove chat` through a pipe")
    account = login.Account(server, user, login.read_password(user, None, texts), org, app, device, tls)

    async def talk() -> int:
        peer = parse_peer(to) if to else None
        client = account.start_client("rockdove tui")
        try:
            await client.connected()
            screen = TuiApp(client, texts, peer)
            await screen.run_async()
            if screen.ended:
                raise screen.ended
            return screen.return_code or 0
        finally:
            await client.close()
            if unsent := len(client.unsent()):
                print(texts["still_unsent"].format(count=unsent), file=sys.stderr)

    return login.run(talk())
