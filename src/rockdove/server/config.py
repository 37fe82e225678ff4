"""What the operator chose: defaults, then a TOML file, the environment, the command line, the last one wins."""

import difflib
import os
import re
import socket
import ssl
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rockdove.bus.nats.server import Server, parse_servers, tls_context
from rockdove.store.address import check_address
from rockdove.store.sqlite.database import default_data_directory
from rockdove.wire import limits, names

MOVING_SECONDS: Final = 3  # with the waits of server/app.py the server stops within 10 s
ENVIRONMENT_PREFIX: Final = "ROCKDOVE_"
_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<host>[^\s:\[\]]+)):(?P<port>[0-9]{1,5})")
_ADDRESS_RULE: Final = "write HOST:PORT, such as 127.0.0.1:5181 or [::1]:5181, with a port up to 65535, or off"
_NETWORK_RULE: Final = "write such as 10.0.0.0/8, with nothing but zeros after the first 8 bits, or 127.0.0.1"


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line that names the setting and says what to do."""


class Address(NamedTuple):
    """Where to listen; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> object:
    """HOST:PORT as an Address, off as None."""
    if value is None or isinstance(value, Address):
        return value
    if value == "off":
        return None
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match["port"]) > 65535:
        raise ValueError(f"{value!r} is not an address: {_ADDRESS_RULE}")
    return Address(match["six"] or match["host"], int(match["port"]))


def _path(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) and value else value


def _database(value: object) -> object:
    """The address of a database. It holds a password: no error shows it."""
    return value if value is None else check_address(value if isinstance(value, str) else "")


def _servers(value: object) -> object:
    """URLs with commas between them as servers. They hold passwords: no error shows them."""
    if value is None or isinstance(value, tuple):
        return value
    try:
        return parse_servers(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"one of the servers {error}") from None


def _networks(value: object) -> object:
    """Networks and addresses with commas between them as networks."""
    if value is None or isinstance(value, tuple):
        return value
    return tuple(_network(text.strip()) for text in (value if isinstance(value, str) else "").split(","))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a network nor an address: {_NETWORK_RULE}") from None


def _name(value: object) -> object:
    if not isinstance(value, str) or not names.is_name(value):
        raise ValueError(f"{value!r} is not a legal name: use {names.RULE}")
    return value


Listen = Annotated[Address | None, BeforeValidator(_address)]
File = Annotated[Path, BeforeValidator(_path)]
Database = Annotated[str | None, BeforeValidator(_database)]
Servers = Annotated[tuple[Server, ...] | None, BeforeValidator(_servers)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...] | None, BeforeValidator(_networks)]
Name = Annotated[str, BeforeValidator(_name)]


class Config(BaseModel):
    """Every setting of `rockdove serve`. The names are those in the file, and in the environment as ROCKDOVE_NAME."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: File = Field(default_factory=default_data_directory)
    store: Database = Field(default=None, repr=False)  # None: the SQLite file in `data`
    bus: Servers = None
    bus_credentials: File | None = None  # as NATS makes them
    bus_ca: File | None = None  # PEM; None: whom the system trusts
    bus_cert: File | None = None  # PEM, with the chain
    bus_key: File | None = None  # PEM, without a passphrase
    node_name: Name = Field(default_factory=socket.gethostname)
    tcp: Listen = Address("127.0.0.1", 5181)
    tls: Listen = None
    cert: File | None = None  # PEM, with the chain
    key: File | None = None  # PEM, without a passphrase
    proxy_protocol: Networks = None  # whose connections begin with a PROXY header
    http: Listen = Address("127.0.0.1", 5180)
    heartbeat_seconds: int = Field(default=limits.HEARTBEAT_SECONDS, ge=1, le=3600)
    window: int = Field(default=limits.WINDOW, ge=1, le=65536)
    max_frame_bytes: int = Field(default=limits.FRAME_BYTES, ge=limits.FRAME_BYTES_BEFORE_LOGIN, le=16 * 1024 * 1024)
    group_max_members: int = Field(default=10_000, ge=2, le=1_000_000)
    max_connections: int | None = Field(default=None, ge=1)  # None: as many as the process may have files open
    logins_at_once: int = Field(default=32, ge=1, le=10_000)
    logins_waiting: int = Field(default=2_000, ge=0, le=1_000_000)
    resume_token_days: int = Field(default=30, ge=1, le=3650)
    device_expiry_days: int = Field(default=30, ge=1, le=3650)
    maintenance_seconds: int = Field(default=1, ge=1, le=86_400)  # between two steps of cutting logs
    drain_seconds: int | None = Field(default=None, ge=0, le=3600)  # None: see moving_seconds
    log_format: Literal["auto", "json", "console"] = "auto"  # auto: console on a terminal
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not (self.tcp or self.tls):
            raise ValueError("there is nothing to listen on: set tcp or tls to HOST:PORT")
        if self.tls:
            self.tls_context()
        elif self.cert or self.key:
            raise ValueError("cert and key are of no use without tls: set tls to HOST:PORT")
        self._check_bus()
        return self

    def _check_bus(self) -> None:
        if self.bus and not self.store:
            raise ValueError("bus is of no use without store: nodes hear each other only if they share a database")
        given = [name for name in ("bus_credentials", "bus_ca", "bus_cert", "bus_key") if getattr(self, name)]
        if given and not self.bus:
            raise ValueError(f"{' and '.join(given)}: of no use without bus: set bus to nats://HOST:PORT")
        for name in given:
            _check_readable(name, getattr(self, name))
        if bool(self.bus_cert) != bool(self.bus_key):
            raise ValueError("bus_cert and bus_key belong together: set both, or none")
        self.bus_tls_context()

    @property
    def moving_seconds(self) -> int:
        """Over which clients are moved away when the server stops; at once where there is no other node to go to."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        return MOVING_SECONDS if self.bus else 0

    def tls_context(self) -> ssl.SSLContext:
        """Made from `cert` and `key`, for TLS 1.2 and later (protocol §2). Raises ValueError saying what is wrong with them."""
        for name, file in (("cert", self.cert), ("key", self.key)):
            if file is None:
                raise ValueError(f"tls needs {name}: the name of a PEM file")
            _check_readable(name, file)
        assert self.cert is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key, password="")  # never ask on the terminal
        except ssl.SSLError as error:
            problem = "do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "are not a certificate and its key"
            raise ValueError(f"cert {self.cert} and key {self.key} {problem}, in PEM and without a passphrase") from None
        return context

    def bus_tls_context(self) -> ssl.SSLContext | None:
        """Made from `bus_ca`, `bus_cert` and `bus_key`; None if none was given. Raises ValueError saying what is wrong."""
        if not (self.bus_ca or self.bus_cert):
            return None
        try:
            return tls_context(self.bus_ca, self.bus_cert, self.bus_key)
        except ssl.SSLError:
            raise ValueError("bus_ca, bus_cert, bus_key: not certificates and the key of one, in PEM") from None


def _check_readable(setting: str, file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise ValueError(f"{setting}: {file} cannot be read: {error.strerror}") from None


def load_config(file: Path | None, flags: Mapping[str, object]) -> Config:
    """The configuration from `file`, the environment and `flags` (those that are None were not given). Raises ConfigError."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}  # how to call a setting in an error
    for name, value in (_read(file) if file else {}).items():
        values[name], origins[name] = value, f"{name} in {file}"
    for name in Config.model_fields:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if os.environ.get(variable):
            values[name], origins[name] = os.environ[variable], variable
        if flags.get(name) is not None:
            values[name], origins[name] = flags[name], f"--{name.replace('_', '-')}"
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(problem, origins) for problem in error.errors())) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text; write it anew as TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    for name in content:
        if name not in Config.model_fields:
            near = difflib.get_close_matches(name, Config.model_fields, 1)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(Config.model_fields)}"
            raise ConfigError(f"{name} in {file} is not a setting; {advice}")
    return content


def _sentence(problem: Any, origins: Mapping[str, str]) -> str:
    """One of pydantic's errors, with the name by which the operator knows the setting."""
    message = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else str(problem["msg"])
    if not problem["loc"]:
        return message
    setting = origins[problem["loc"][0]]
    if problem["type"] == "value_error":
        return f"{setting}: {message}"
    return f"{setting}: {message[0].lower()}{message[1:]}, not {problem['input']!r}"
