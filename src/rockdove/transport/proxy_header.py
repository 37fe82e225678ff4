"""The header by which a balancer says whose connection it passes on: the PROXY protocol, versions 1 and 2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt; it comes before the client's first byte, and so before TLS.
"""

import re
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

TEXT: Final = b"PROXY "
TEXT_BYTES: Final = 107  # the longest line of version 1, with its end
BINARY: Final = b"\r\n\r\n\0\r\nQUIT\n"
BINARY_BYTES: Final = 4096  # the longest of version 2; the addresses take 52, the rest is what balancers add
LOCAL: Final = 0x20  # version 2, the balancer for itself: a health check
PROXY: Final = 0x21

_LINE: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})")
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: .*)?", re.DOTALL)
_START: Final = struct.Struct(f">{len(BINARY)}sBBH")  # signature, version and command, family, bytes that follow
# Bytes that both ends take, and those of the client's address. 0x00 is unknown and 0x31 a UNIX socket, which have none for us;
# UDP, and what has no meaning yet, are refused.
_FAMILIES: Final = {0x00: (0, 0), 0x11: (12, 4), 0x21: (36, 16), 0x31: (216, 0)}


class ProxyHeader(NamedTuple):
    """What the balancer said."""

    length: int  # in bytes; what follows is the client's
    client: str | None  # its address, without the port; None: the balancer does not know, or speaks for itself


class ProxyHeaderError(Exception):
    """There is no header, or a broken one; the text says which."""


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning of `data`; None while more bytes are needed to tell. Raises ProxyHeaderError."""
    if data.startswith(BINARY):
        return _parse_binary(data)
    if data.startswith(TEXT):
        return _parse_text(data)
    if BINARY.startswith(data) or TEXT.startswith(data):
        return None
    raise ProxyHeaderError("it does not begin with a PROXY header")


def normal_address(text: str) -> str:
    """The one way to write that address; IPv4 within IPv6 is IPv4. Raises ValueError when it is none."""
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _parse_text(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, TEXT_BYTES)
    if end < 0:
        if len(data) >= TEXT_BYTES:
            raise ProxyHeaderError(f"the line of its PROXY header is longer than {TEXT_BYTES} bytes")
        return None
    line, length = data[:end], end + 2
    if _UNKNOWN.fullmatch(line):
        return ProxyHeader(length, None)
    match = _LINE.fullmatch(line)
    if match is None or max(int(match[4]), int(match[5])) > 65535:
        raise ProxyHeaderError("the line of its PROXY header is malformed")
    family = IPv4Address if match[1] == b"4" else IPv6Address
    try:
        client, _ = (str(family(match[number].decode())) for number in (2, 3))
    except ValueError:
        raise ProxyHeaderError("the addresses in its PROXY header are none of their family") from None
    return ProxyHeader(length, normal_address(client))


def _parse_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _START.size:
        return None
    _, command, family, size = _START.unpack_from(data)
    length = _START.size + size
    if command not in {LOCAL, PROXY}:
        raise ProxyHeaderError(f"its PROXY header has the version and command {command:#04x}")
    if length > BINARY_BYTES:
        raise ProxyHeaderError(f"its PROXY header is longer than {BINARY_BYTES} bytes")
    client_bytes = 0
    if command == PROXY:  # else the family has no meaning
        both_bytes, client_bytes = _FAMILIES.get(family, (0, -1))
        if client_bytes < 0 or size < both_bytes:
            raise ProxyHeaderError(f"its PROXY header has the family {family:#04x} and {size} bytes for its addresses")
    if len(data) < length:
        return None
    client = data[_START.size : _START.size + client_bytes]
    return ProxyHeader(length, normal_address(str(ip_address(client))) if client else None)
