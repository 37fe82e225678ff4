"""Where the chat keeps what is unsent, and with it which device this computer is."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rockdove.client import Client, OutboxInUse, OutboxUnusable

_SLOTS: Final = 99  # chats of one user at the same time on one computer, each a device of its own


def outbox_path(user: str, org: str, appkey: str, server: str, device: str | None) -> Path:
    """The file for this user at this server, in `$XDG_STATE_HOME/rockdove`, usually ~/.local/state/rockdove.

    In whatever order its nodes are named.
    """
    home = os.environ.get("XDG_STATE_HOME", "")
    state = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
    nodes = ",".join(sorted(node.strip() for node in server.split(",")))
    name = "@".join([user, f"{org}.{appkey}", nodes, *([device] if device else [])])
    return state / "rockdove" / (re.sub(r"[^A-Za-z0-9._@-]", "_", name) + ".outbox")


def start_client(make: Callable[[Path], Client], path: Path, *, fixed: bool) -> Client:
    """Start a client on `path`, or beside it when another chat has it: that one is another device then.

    Only `path` itself will do when the device is `fixed`. Raises OutboxUnusable.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutboxUnusable(str(path), f"cannot be made: {error.strerror}; set XDG_STATE_HOME to another directory") from None
    for slot in range(1, _SLOTS + 1):
        client = make(path if slot == 1 else path.with_suffix(f".{slot}.outbox"))
        try:
            client.start()
        except OutboxInUse:
            if fixed or slot == _SLOTS:
                raise
        else:
            return client
    raise AssertionError("unreachable")
