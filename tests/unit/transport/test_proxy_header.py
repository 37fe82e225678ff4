"""PROXY headers, built and taken apart by the tables of the specification."""

import re
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rockdove.transport.proxy_header import BINARY_BYTES, ProxyHeader, ProxyHeaderError, normal_address, parse_proxy_header

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
KINDS = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}  # what a listener for streams may be told, and bytes of addresses

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), st.sampled_from([IPv6Address("::ffff:192.0.2.1")]))
ports = st.integers(0, 65535)
tails = st.one_of(st.just(b""), st.binary(max_size=60))


def normal(address: IPv4Address | IPv6Address) -> str:
    """As the C library writes it; IPv4 within IPv6 as IPv4."""
    packed = address.packed
    if len(packed) == 16 and packed[:12] == bytes(10) + b"\xff\xff":
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


@st.composite
def text_headers(draw: st.DrawFn) -> tuple[bytes, str | None]:
    """A header of version 1, and the client's address."""
    if draw(st.booleans()):
        rest = draw(st.binary(max_size=90).filter(lambda rest: b"\r\n" not in rest))
        return b"PROXY UNKNOWN" + (b" " + rest if rest else b"") + b"\r\n", None
    client = draw(addresses)
    proxy = draw(st.ip_addresses(v=client.version))
    written = draw(st.sampled_from([str(client), client.exploded]))
    return f"PROXY TCP{client.version} {written} {proxy} {draw(ports)} {draw(ports)}\r\n".encode(), normal(client)


@st.composite
def binary_headers(draw: st.DrawFn) -> tuple[bytes, str | None]:
    """A header of version 2, and the client's address."""
    more = draw(st.binary(max_size=40))
    if draw(st.booleans()):
        family = draw(st.integers(0, 255))
        return SIGNATURE + bytes([0x20, family]) + len(more).to_bytes(2) + more, None
    kind = draw(st.sampled_from(sorted(KINDS)))
    client, block = None, draw(st.binary(min_size=KINDS[kind], max_size=KINDS[kind]))
    if kind in {0x11, 0x21}:
        address = draw(addresses.filter(lambda address: len(address.packed) == (4 if kind == 0x11 else 16)))
        block, client = address.packed + block[len(address.packed) :], normal(address)
    return SIGNATURE + bytes([0x21, kind]) + (len(block) + len(more)).to_bytes(2) + block + more, client


headers = st.one_of(text_headers(), binary_headers())


@given(headers, tails)
def test_a_header_ends_where_it_ends_and_names_the_client(header: tuple[bytes, str | None], tail: bytes) -> None:
    data, client = header
    assert parse_proxy_header(data + tail) == ProxyHeader(len(data), client)


@given(headers)
def test_of_no_piece_of_a_header_it_is_told_before_the_last_byte(header: tuple[bytes, str | None]) -> None:
    data, _ = header
    assert {parse_proxy_header(data[:length]) for length in range(len(data))} == {None}


def judged(data: bytes) -> ProxyHeader | str | None:
    try:
        return parse_proxy_header(data)
    except ProxyHeaderError:
        return "refused"


def expected(data: bytes) -> ProxyHeader | str | None:
    """The same by another way: the whole line split into words; the block by the table of lengths."""
    if not (data[:12] == SIGNATURE[: len(data)] or data[:6] == b"PROXY "[: len(data)]):
        return "refused"
    if data[:1] == b"P":
        return expected_text(data)
    if len(data) < 16:
        return None
    size, kind = int.from_bytes(data[14:16]), data[13]
    if data[12] not in (0x20, 0x21) or size > BINARY_BYTES - 16:
        return "refused"
    if data[12] == 0x21 and (kind not in KINDS or size < KINDS[kind]):
        return "refused"
    if len(data) < 16 + size:
        return None
    families = {0x11: (IPv4Address, 4), 0x21: (IPv6Address, 16)} if data[12] == 0x21 else {}
    family, length = families.get(kind, (None, 0))
    return ProxyHeader(16 + size, normal(family(data[16 : 16 + length])) if family else None)


def expected_text(data: bytes) -> ProxyHeader | str | None:
    line, end, _ = data[:107].partition(b"\r\n")
    if not end:
        return "refused" if len(data) >= 107 else None
    words = line.split(b" ")
    if words[:2] == [b"PROXY", b"UNKNOWN"]:
        return ProxyHeader(len(line) + 2, None)
    families = {b"TCP4": (socket.AF_INET, IPv4Address), b"TCP6": (socket.AF_INET6, IPv6Address)}
    if len(words) != 6 or words[1] not in families:
        return "refused"
    family, kind = families[words[1]]
    try:
        client, _ = (socket.inet_pton(family, word.decode()) for word in words[2:4])
    except (OSError, ValueError):
        return "refused"
    if not all(re.fullmatch(rb"\d+", port) and int(port) < 65536 and str(int(port)).encode() == port for port in words[4:]):
        return "refused"
    return ProxyHeader(len(line) + 2, normal(kind(client)))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Something like a header: bytes of one changed, left out, or put in."""
    data = bytearray(draw(headers)[0] + draw(tails))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b" ", b"0", b"\r\n"]))
        )
    return bytes(data)


likely = st.one_of(
    st.binary(max_size=140),
    damaged(),
    st.builds(bytes.__add__, st.sampled_from([b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00"]), tails),
    st.from_regex(rb"PROXY (TCP4|TCP6|UNKNOWN|UDP4)( [0-9a-f.:% ]{0,40}){0,5}\r\n", fullmatch=True),
)


@given(likely)
@example(b"PROXY UNKNOWN" + b" " * 92 + b"\r\n")
@example(b"PROXY UNKNOWN" + b" " * 93 + b"\r\n")
@example(b"PROXY UNKNOWNS\r\n")
@example(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n")
@example(b"PROXY TCP4 192.0.2.1 192.0.2.2 01 1\r\n")
@example(b"PROXY TCP4 192.0.2.01 192.0.2.2 1 1\r\n")
@example(b"PROXY TCP4 ::1 ::1 1 1\r\n")
@example(b"PROXY TCP6 fe80::1%1 ::1 1 1\r\n")
@example(SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11))
@example(SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12))
@example(SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12))
@example(SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12))
@example(SIGNATURE + b"\x20\xff\x00\x00")
def test_any_bytes_are_judged_as_the_tables_judge_them(data: bytes) -> None:
    assert judged(data) == expected(data)


@given(likely)
def test_what_was_told_is_not_taken_back_by_more_bytes(data: bytes) -> None:
    told = [told for length in range(len(data) + 1) if (told := judged(data[:length])) is not None]
    assert len(set(told)) <= 1


@pytest.mark.parametrize("size", [BINARY_BYTES - 16, BINARY_BYTES - 15])
def test_a_header_may_not_be_long(size: int) -> None:
    start = SIGNATURE + b"\x21\x11" + size.to_bytes(2)
    data = start + bytes(size)
    assert judged(data) == ("refused" if len(data) > BINARY_BYTES else ProxyHeader(BINARY_BYTES, "0.0.0.0"))
    assert judged(start) == ("refused" if len(data) > BINARY_BYTES else None)


@given(st.ip_addresses(v=6))
def test_an_address_is_written_in_one_way(address: IPv6Address) -> None:
    assert normal_address(address.exploded.upper()) == normal_address(str(address)) == normal(address)
