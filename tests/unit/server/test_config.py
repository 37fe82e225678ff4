"""Every setting can be given in four places, and a wrong one is named in one line that says what to do."""

import datetime
import os
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rockdove.server.config import Address, Config, ConfigError, load_config


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ROCKDOVE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the text of a configuration file."""

    def write_file(text: str) -> Path:
        file = tmp_path / "rockdove.toml"
        file.write_text(text)
        return file

    return write_file


def refusal(file: Path | None = None, **flags: object) -> str:
    """The one line that says what is wrong."""
    with pytest.raises(ConfigError) as caught:
        load_config(file, flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def certificate(directory: Path, name: str, passphrase: bytes | None = None) -> tuple[Path, Path]:
    """Files with a new key and a certificate for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    cert_file, key_file = directory / f"{name}.crt", directory / f"{name}.key"
    cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return cert_file, key_file


# ---------------------------------------------------------------- where settings come from


def test_without_anything_it_listens_on_this_machine_only() -> None:
    config = load_config(None, {})
    assert (config.tcp, config.tls, config.http) == (Address("127.0.0.1", 5181), None, Address("127.0.0.1", 5180))
    assert (config.heartbeat_seconds, config.window, config.max_frame_bytes) == (30, 256, 131072)
    assert (config.resume_token_days, config.device_expiry_days, config.max_connections) == (30, 30, None)


def test_the_data_directory_follows_the_xdg_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert load_config(None, {}).data == Path("/home/alice/.local/share/rockdove")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert load_config(None, {}).data == Path("/data/rockdove")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert load_config(None, {}).data == Path("/home/alice/.local/share/rockdove")


def test_flags_win_over_the_environment_and_that_over_the_file(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write('data = "~/file"\nwindow = 1\ntcp = "[::1]:1"\nhttp = "off"\n')
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setenv("ROCKDOVE_WINDOW", "2")
    monkeypatch.setenv("ROCKDOVE_TCP", "0.0.0.0:2")
    config = load_config(file, {"tcp": "localhost:3", "http": None})
    assert (config.data, config.window) == (Path("/home/alice/file"), 2)
    assert (config.tcp, config.http) == (Address("localhost", 3), None)


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKDOVE_WINDOW", "")
    assert load_config(None, {}).window == 256


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5181", "127.0.0.1", 5181),
        ("[::1]:5181", "::1", 5181),
        ("[::]:65535", "::", 65535),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ("chat.example.org:0", "chat.example.org", 0),
    ],
)
def test_an_address_is_host_and_port_and_is_shown_as_it_was_written(text: str, host: str, port: int) -> None:
    address = load_config(None, {"tcp": text}).tcp
    assert address == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "5181", ":5181", "localhost", "localhost:", "::1:5181", "[::1]", "a:65536", "a:-1", "a:1x", "a b:1", "on", "[]:1"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert f"--tcp: {text!r} is not an address: write HOST:PORT" in refusal(tcp=text)


def test_listening_nowhere_is_refused(tmp_path: Path) -> None:
    assert "set tcp or tls" in refusal(tcp="off")
    cert, key = certificate(tmp_path, "a")
    assert load_config(None, {"tcp": "off", "tls": "localhost:0", "cert": str(cert), "key": str(key)}).tcp is None


def test_balancers_are_networks_and_addresses_of_both_families() -> None:
    assert load_config(None, {}).proxy_protocol is None
    config = load_config(None, {"proxy_protocol": "10.0.0.0/8, 127.0.0.1,2001:db8::/32,::1"})
    assert config.proxy_protocol == tuple(map(ip_network, ["10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32", "::1/128"]))


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,", "", "1", ["10.0.0.0/8"], 1])
def test_what_is_no_network_is_refused(text: object) -> None:
    assert "is neither a network nor an address: write such as 10.0.0.0/8" in refusal(proxy_protocol=text)


# ---------------------------------------------------------------- errors name the setting as it was given


def test_an_error_names_the_flag_the_variable_or_the_file(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("window = 0")
    assert refusal(file) == f"window in {file}: input should be greater than or equal to 1, not 0"
    monkeypatch.setenv("ROCKDOVE_WINDOW", "many")
    assert refusal(file).startswith("ROCKDOVE_WINDOW: ")
    assert refusal(file).endswith(", not 'many'")
    assert refusal(file, http="x").startswith("--http: 'x' is not an address")


def test_every_wrong_setting_is_named_at_once(write: Callable[[str], Path]) -> None:
    text = refusal(write('log_format = "xml"\nheartbeat_seconds = "soon"\nmax_frame_bytes = 1\n'))
    assert "log_format in " in text
    assert "'auto', 'json' or 'console', not 'xml'" in text
    assert "heartbeat_seconds in " in text
    assert "max_frame_bytes in " in text


def test_an_unknown_setting_is_named_with_the_nearest_known_one(write: Callable[[str], Path]) -> None:
    file = write("heartbeat_second = 30")
    assert refusal(file) == f"heartbeat_second in {file} is not a setting; did you mean heartbeat_seconds?"
    file = write("xyzzy = 1")
    assert refusal(file).startswith(f"xyzzy in {file} is not a setting; known are data, store, ")


def test_a_syntax_error_is_told_with_its_line(write: Callable[[str], Path]) -> None:
    file = write('window = 1\ntcp = "localhost\n')
    assert refusal(file).startswith(f"{file} is not valid TOML: ")
    assert "line 2" in refusal(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'} cannot be read: No such file or directory"
    assert "cannot be read" in refusal(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in refusal(tmp_path / "binary")


# ---------------------------------------------------------------- TLS


def tls(cert: Path | None, key: Path | None) -> dict[str, object]:
    return {"tls": "127.0.0.1:0", "cert": cert and str(cert), "key": key and str(key)}


def test_tls_is_offered_from_version_1_2(tmp_path: Path) -> None:
    context = load_config(None, tls(*certificate(tmp_path, "a"))).tls_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_tls_without_usable_files_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    _, other_key = certificate(tmp_path, "b")
    _, secret_key = certificate(tmp_path, "c", b"passphrase")
    assert refusal(None, **tls(None, key)) == "tls needs cert: the name of a PEM file"
    assert refusal(None, **tls(cert, None)) == "tls needs key: the name of a PEM file"
    assert (
        refusal(None, **tls(tmp_path / "none", key)) == f"cert: {tmp_path / 'none'} cannot be read: No such file or directory"
    )
    assert "do not belong together" in refusal(None, **tls(cert, other_key))
    assert "are not a certificate and its key" in refusal(None, **tls(key, cert))
    assert "without a passphrase" in refusal(None, **tls(cert, secret_key))


def test_a_certificate_without_tls_is_not_ignored(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    assert "set tls to HOST:PORT" in refusal(cert=str(cert), key=str(key))


# ---------------------------------------------------------------- store and bus

STORE = "postgresql://rockdove:s3cret@db1,db2:5433/chat"


def test_without_anything_there_is_one_node_with_its_own_file() -> None:
    config = load_config(None, {})
    assert (config.store, config.bus, config.bus_tls_context()) == (None, None, None)
    assert config.node_name == socket.gethostname()


def test_a_shared_store_and_a_bus_are_taken_from_everywhere(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(f'store = "{STORE}"\nnode_name = "file"\n')
    monkeypatch.setenv("ROCKDOVE_BUS", "nats://n1, tls://user:s3cret@n2:4223")
    config = load_config(file, {"node_name": "flag"})
    assert (config.store, config.node_name) == (STORE, "flag")
    assert config.bus is not None
    assert [(server.address, server.secure, server.password) for server in config.bus] == [
        ("n1:4222", False, None),
        ("n2:4223", True, "s3cret"),
    ]
    assert "s3cret" not in repr(config)


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (
            {"store": "mysql://rockdove:s3cret@db/chat"},
            "--store: this is no address of a PostgreSQL database: write postgresql://",
        ),
        ({"store": "postgresql://rockdove:s3cr/et@db/chat"}, "with %XX for special characters"),
        ({"store": ["postgresql://rockdove:s3cret@db/chat"]}, "--store: this is no address"),
        ({"store": STORE, "bus": "nats://a:4222,http://user:s3cret@b"}, "--bus: one of the servers is not of the form nats://"),
        ({"store": STORE, "bus": "nats://user:s3cr/et@b"}, "--bus: one of the servers is not of the form nats://"),
        ({"store": STORE, "bus": ["nats://user:s3cret@b"]}, "--bus: one of the servers is not of the form nats://"),
        ({"store": STORE, "bus": ""}, "--bus: one of the servers is not of the form nats://"),
        ({"bus": "nats://user:s3cret@b"}, "bus is of no use without store"),
        ({"store": STORE, "bus_ca": "/none"}, "bus_ca: of no use without bus"),
        ({"store": STORE, "bus": "nats://b", "bus_ca": "/none"}, "bus_ca: /none cannot be read"),
        ({"store": STORE, "bus": "nats://b", "bus_credentials": "/none"}, "bus_credentials: /none cannot be read"),
        ({"store": STORE, "node_name": "a b"}, "--node-name: 'a b' is not a legal name: use 1 to 64"),
    ],
)
def test_what_nodes_cannot_share_is_told_without_a_password(flags: dict[str, object], about: str) -> None:
    text = refusal(**flags)
    assert about in text
    assert "s3cr" not in text


def test_the_certificates_of_the_bus_are_looked_at(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    bus = {"store": STORE, "bus": "tls://b"}
    assert load_config(None, bus | {"bus_ca": str(cert)}).bus_tls_context() is not None
    assert load_config(None, bus | {"bus_cert": str(cert), "bus_key": str(key)}).bus_tls_context() is not None
    assert "belong together" in refusal(**bus, bus_cert=str(cert))
    assert "not certificates and the key of one" in refusal(**bus, bus_cert=str(key), bus_key=str(cert))
    assert "not certificates and the key of one" in refusal(**bus, bus_ca=str(key))


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().window = 1


def test_clients_are_moved_at_once_where_there_is_no_other_node() -> None:
    alone = load_config(None, {})
    joined = load_config(None, {"store": "postgresql://database/rockdove", "bus": "nats://127.0.0.1"})
    chosen = load_config(None, {"drain_seconds": 0, "store": "postgresql://database/rockdove", "bus": "nats://127.0.0.1"})
    assert (alone.moving_seconds, joined.moving_seconds, chosen.moving_seconds) == (0, 3, 0)
