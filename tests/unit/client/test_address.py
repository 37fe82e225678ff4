"""Server addresses as people write them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.client.address import Address, Addresses, parse_address, parse_addresses


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


@pytest.mark.parametrize("server", ["a, b:9,[::1]", ["a", "b:9", "[::1]"], ("a", "b:9", "a", "[::1]", "a:5181")])
def test_several_are_a_text_with_commas_or_a_sequence(server: str | list[str] | tuple[str, ...]) -> None:
    assert parse_addresses(server, tls=False) == [("a", 5181), ("b", 9), ("::1", 5181)]


@pytest.mark.parametrize("server", ["", "a,", ",a", []])
def test_none_of_several_may_be_empty(server: str | list[str]) -> None:
    with pytest.raises(ValueError, match="server address"):
        parse_addresses(server, tls=False)


def nodes(count: int) -> list[Address]:
    return [(f"node{number}", 5181) for number in range(count)]


@given(count=st.integers(1, 12), seed=st.integers(0, 1 << 32), rounds=st.integers(1, 3))
def test_each_has_its_turn_before_any_has_two(count: int, seed: int, rounds: int) -> None:
    addresses = Addresses(nodes(count), Random(seed).random)
    order = []
    for tried in range(count):
        assert not addresses.all_tried
        order.append(addresses.next())
        assert addresses.all_tried == (tried == count - 1)
    assert sorted(order) == sorted(nodes(count))
    assert [addresses.next() for _ in range(count * rounds)] == order * rounds
    assert addresses.all_tried


@given(count=st.integers(2, 6), seed=st.integers(0, 1 << 32))
def test_a_crowd_spreads_evenly_first_over_all_and_when_one_is_lost_over_the_others(count: int, seed: int) -> None:
    random = Random(seed).random
    crowd = 300 * count * (count - 1)
    steps = dict.fromkeys(((first, then) for first in nodes(count) for then in nodes(count) if first != then), 0)
    for _ in range(crowd):
        addresses = Addresses(nodes(count), random)
        steps[addresses.next(), addresses.next()] += 1
    assert 200 < min(steps.values()) <= max(steps.values()) < 400  # of 300; that is almost six standard deviations
