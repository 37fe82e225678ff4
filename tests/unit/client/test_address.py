"""Server addresses as people write them."""

import pytest

from rockdove.client.address import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", ("localhost", 5181)),
        ("127.0.0.1:9", ("127.0.0.1", 9)),
        ("im.example.com:443", ("im.example.com", 443)),
        ("[::1]", ("::1", 5181)),
        ("[::1]:9", ("::1", 9)),
    ],
)
def test_legal_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text, tls=False) == address


def test_tls_has_a_port_of_its_own() -> None:
    assert parse_address("im.example.com", tls=True) == ("im.example.com", 5182)


@pytest.mark.parametrize(
    "text", ["", ":9", "host:0", "host:x", "host:99999", "::1", "http://host", "host/path", "u@host", "[::1"]
)
def test_anything_else_is_told_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="is not a server address; write HOST or HOST:PORT"):
        parse_address(text, tls=False)
