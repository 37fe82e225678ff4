"""Resume tokens: a device that has logged in comes back without its password (protocol §3)."""

import hashlib
import hmac
import re
import struct
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Final

from rockdove.core.records import Tenant, User

_TOKEN: Final = re.compile(r"r1\.([0-9]{1,15})\.[A-Za-z0-9_-]{43}")
REMEMBERED: Final = 1_000  # tenants
_FIELDS: Final = struct.Struct(">3sQQQQQ")  # version, tenant, user, credential version, kicked, expiry; then the device


def sign(signing_key: bytes, tenant: Tenant, user: User, device: str, kicked_ms: int, expires_ms: int) -> str:
    """A token for this user on this device.

    It is void once the user's credentials or the tenant's secret change, the device is kicked (the last time was
    `kicked_ms`, 0 for never), or `expires_ms` (Unix epoch) has come.
    """
    key = _tenant_key(signing_key, tenant.token_secret)
    fields = _FIELDS.pack(b"r1.", user.tenant, user.id, user.credential_version, kicked_ms, expires_ms)
    digest = hmac.digest(key, fields + device.encode(), hashlib.sha256)
    return f"r1.{expires_ms}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@lru_cache(REMEMBERED)
def _tenant_key(signing_key: bytes, token_secret: bytes) -> bytes:
    return hmac.digest(signing_key, token_secret, hashlib.sha256)


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
