"""Resume tokens: a device that has logged in comes back without its password (protocol §3)."""

import hashlib
import hmac
import re
import struct
from binascii import b2a_base64
from functools import lru_cache
from typing import Final

from rockdove.core.records import Tenant, User

_TOKEN: Final = re.compile(r"r1\.([0-9]{1,15})\.[A-Za-z0-9_-]{43}")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
REMEMBERED: Final = 1_000  # tenants
_FIELDS: Final = struct.Struct(">3sQQQQQ")  # version, tenant, user, credential version, kicked, expiry; then the device


def sign(signing_key: bytes, tenant: Tenant, user: User, device: str, kicked_ms: int, expires_ms: int) -> str:
    """A token for this user on this device.

    It is void once the user's credentials or the tenant's secret change, the device is kicked (the last time was
    `kicked_ms`, 0 for never), or `expires_ms` (Unix epoch) has come.
    """
    fields = _FIELDS.pack(b"r1.", user.tenant, user.id, user.credential_version, kicked_ms, expires_ms)
    inner, outer = (pad.copy() for pad in _pads(signing_key, tenant.token_secret))
    inner.update(fields + device.encode())
    outer.update(inner.digest())
    return f"r1.{expires_ms}.{b2a_base64(outer.digest(), newline=False).translate(_TO_URL, b'=').decode()}"


@lru_cache(REMEMBERED)
def _pads(signing_key: bytes, token_secret: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """HMAC-SHA-256 with the tenant's key, as far as it is the same for all tokens (RFC 2104): a third of what it costs anew."""
    key = hmac.digest(signing_key, token_secret, hashlib.sha256).ljust(hashlib.sha256().block_size, b"\0")
    return hashlib.sha256(key.translate(hmac.trans_36)), hashlib.sha256(key.translate(hmac.trans_5C))


def verify(signing_key: bytes, tenant: Tenant, user: User, device: str, kicked_ms: int, token: str, now_ms: int) -> bool:
    """Whether `token` was signed with `signing_key` for this tenant, user and device as they are now.

    Nothing in a token is decoded but its expiry: all else is known, so the token is made again and compared.
    """
    match = _TOKEN.fullmatch(token)
    if not match:
        return False
    expires_ms = int(match[1])
    signed = sign(signing_key, tenant, user, device, kicked_ms, expires_ms)
    return now_ms < expires_ms and hmac.compare_digest(token, signed)
