"""URLs of NATS servers."""

import pytest

from rockdove.bus.nats.server import Server, parse_servers


@pytest.mark.parametrize(
    ("url", "server", "address"),
    [
        ("nats://host", Server("host", 4222, secure=False), "host:4222"),
        ("tls://host:4333/", Server("host", 4333, secure=True), "host:4333"),
        ("nats://[::1]:4333", Server("::1", 4333, secure=False), "[::1]:4333"),
        ("nats://token%2F@host", Server("host", 4222, secure=False, token="token/"), "host:4222"),
        ("nats://us%40er:p%3Aw@host", Server("host", 4222, secure=False, user="us@er", password="p:w"), "host:4222"),
        ("nats://user:@host", Server("host", 4222, secure=False, user="user", password=""), "host:4222"),
    ],
)
def test_what_a_url_says(url: str, server: Server, address: str) -> None:
    assert Server.parse(url) == server
    assert server.address == address


def test_several_servers_have_commas_between_them() -> None:
    assert parse_servers("nats://a:1, tls://b") == (Server("a", 1, secure=False), Server("b", 4222, secure=True))


@pytest.mark.parametrize(
    "url",
    ["", "host:4222", "http://a:secret@host", "nats://", "nats://a:secret@", "nats://a:secret@host:x", "nats://a:secret@host:99999",
     "nats://a:secret@host/path", "nats://a:secret@host?x=1", "nats://a,", "nats://a:secret@[::1"],
)  # fmt: skip
def test_what_is_no_url_is_refused_without_telling_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match="of the form nats://") as caught:
        parse_servers(url)
    assert "secret" not in str(caught.value)


def test_nothing_secret_shows() -> None:
    assert "secret" not in repr(parse_servers("nats://a:secret@host,nats://secret@host"))
