"""Where the servers are, as people write it: "host", "host:port", "[::1]:port"; and which of several is tried next."""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

TCP_PORT: Final = 5181
TLS_PORT: Final = 5182

Address = tuple[str, int]  # host, port


def parse_address(text: str, *, tls: bool) -> Address:
    """(host, port), the port by default the one for plain TCP or TLS. Raises ValueError when `text` is no address."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if not parts or not host or port == 0 or parts.netloc != text or "@" in text:
        raise ValueError(f"{text!r} is not a server address; write HOST or HOST:PORT, like 127.0.0.1:{TCP_PORT}")
    return host, port or (TLS_PORT if tls else TCP_PORT)


def parse_addresses(server: str | Sequence[str], *, tls: bool) -> list[Address]:
    """Each address once; `server` is a sequence of them, or a text with commas between. Raises ValueError."""
    texts = server.split(",") if isinstance(server, str) else server
    addresses = dict.fromkeys(parse_address(text.strip(), tls=tls) for text in texts)
    if not addresses:
        raise ValueError("there is no server address: give at least one")
    return list(addresses)


class Addresses:
    """The servers of one service, tried in turn.

    Each client has an order of its own: those that one server loses spread evenly over all the others.
    """

    __slots__ = ("_order", "_tried")

    def __init__(self, addresses: Sequence[Address], random: Callable[[], float]) -> None:
        """`random` is uniform in [0, 1)."""
        left = list(addresses)
        self._order = [left.pop(int(random() * len(left))) for _ in addresses]
        self._tried = 0

    def next(self) -> Address:
        """Where to go now; nowhere twice before all had their turn."""
        address = self._order[self._tried % len(self._order)]
        self._tried += 1
        return address

    @property
    def all_tried(self) -> bool:
        """Whether each had its turn."""
        return self._tried >= len(self._order)
