"""Where a server is, as people write it: "host", "host:port", "[::1]:port"."""

from typing import Final
from urllib.parse import urlsplit

TCP_PORT: Final = 5181
TLS_PORT: Final = 5182


def parse_address(text: str, *, tls: bool) -> tuple[str, int]:
    """(host, port), the port by default the one for plain TCP or TLS. Raises ValueError when `text` is no address."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if not parts or not host or port == 0 or parts.netloc != text or "@" in text:
        raise ValueError(f"{text!r} is not a server address; write HOST or HOST:PORT, like 127.0.0.1:{TCP_PORT}")
    return host, port or (TLS_PORT if tls else TCP_PORT)
