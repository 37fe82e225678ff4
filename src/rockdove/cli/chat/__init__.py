"""rockdove chat: talk in a terminal, or through a pipe."""

import sys
from typing import Annotated

import typer

from rockdove.cli.chat import login
from rockdove.cli.chat.peer import parse_peer
from rockdove.cli.chat.pipe import Limits, Pipe, read_lines
from rockdove.cli.errors import wrong_usage


def chat(
    user: login.User,
    to: Annotated[str, typer.Option(metavar="NAME", help="Whom to talk to; #NAME is a group.")] = "",
    group: Annotated[str, typer.Option(metavar="ID", help="The group to talk in, the same as --to '#ID'.")] = "",
    server: login.Server = "127.0.0.1",
    tls: login.Tls = False,
    org: login.Org = "default",
    app: login.App = "default",
    device: login.Device = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
    lang: login.Lang = None,
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
    texts = login.choose_texts(lang)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive and (as_json or count or linger is not None):
        raise wrong_usage("--json, --linger and --count are for use through a pipe; here the terminal is both its ends")
    if to and group:
        raise wrong_usage("--to and --group name two conversations: give one of them")
    lines = read_lines()
    password = login.read_password(user, lines if password_stdin else None, texts)

    account = login.Account(server, user, password, org, app, device, tls)

    async def talk() -> int:
        name = f"#{group}" if group else to
        peer = parse_peer(name) if name else None
        client = account.start_client("rockdove chat")
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

    return login.run(talk())
