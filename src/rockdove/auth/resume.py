"""Resume tokens: a device that has logged in comes back without its password (protocol §3)."""

import hashlib
import hmac
import re
import struct
from base64 import urlsafe_b64encode
from typing import Final

from rockdove.core.records import User

_TOKEN: Final = re.compile(r"r1\.([0-9]{1,15})\.[A-Za-z0-9_-]{43}")
_FIELDS: Final = struct.Struct(">3sQQQQ")  # version, tenant, user, credential version, expiry; what follows is the device


def sign(key: bytes, user: User, device: str, expires_ms: int) -> str:
    """A token for this user on this device, void once the user's credentials change or `expires_ms` (Unix epoch) has come."""
    fields = _FIELDS.pack(b"r1.", user.tenant, user.id, user.credential_version, expires_ms)
    digest = hmac.digest(key, fields + device.encode(), hashlib.sha256)
    return f"r1.{expires_ms}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def verify(key: bytes, user: User, device: str, token: str, now_ms: int) -> bool:
    """Whether `token` was signed with `key` for this user, as it is now, and this device.

    Nothing in a token is decoded but its expiry: all else is known, so the token is made again and compared.
    """
    match = _TOKEN.fullmatch(token)
    if not match:
        return False
    expires_ms = int(match[1])
    return now_ms < expires_ms and hmac.compare_digest(token, sign(key, user, device, expires_ms))
