"""Where NATS servers are, and who we are there."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

PORT: Final = 4222
FORM: Final = "nats://[USER:PASSWORD@]HOST[:PORT], nats://TOKEN@HOST[:PORT], or tls:// in place of nats://"


@dataclass(frozen=True, slots=True)
class Server:
    """One server, from its URL."""

    host: str
    port: int
    secure: bool  # never without TLS
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Of a URL in one of the forms in FORM. Raises ValueError, whose text tells no secret."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(f"is not of the form {FORM}") from None
        if parts.scheme not in {"nats", "tls"} or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(f"is not of the form {FORM}")
        name = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password is not None else None
        if password is None:
            return cls(parts.hostname, port or PORT, parts.scheme == "tls", token=name)
        return cls(parts.hostname, port or PORT, parts.scheme == "tls", user=name or "", password=password)

    @property
    def address(self) -> str:
        """HOST:PORT, as it may stand in a log."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_servers(urls: str) -> tuple[Server, ...]:
    """Servers of one NATS cluster, from URLs with commas between them. Raises ValueError, whose text tells no secret."""
    return tuple(Server.parse(url.strip()) for url in urls.split(","))


def tls_context(ca: Path | None, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """For TLS with a server whose certificate is of its host, by `ca` (PEM; None: whom the system trusts).

    `cert` and `key` (PEM) are for servers that want to know who we are. Raises OSError when a file is not what it should be.
    """
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key, password="")  # never ask on the terminal
    return context
