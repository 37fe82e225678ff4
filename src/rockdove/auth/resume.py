"""Resume tokens: a device that has logged in comes back without its password (protocol §3)."""

import hashlib
import hmac
import re
import struct
from base64 import urlsafe_b64encode
from typing import Final

from rockdove.core.records import Tenant, User

_TOKEN: Final = re.compile(r"r1\.([0-9]{1,15})\.[A-Za-z0-9_-]{43}")
_FIELDS: Final = struct.Struct(">3sQQQQ")  # version, tenant, user, credential version, expiry; what follows is the device


def sign(signing_key: bytes, tenant: Tenant, user: User, device: str, expires_ms: int) -> str:
    """A token for this user on this device.

    It is void once the user's credentials or the tenant's secret change, or `expires_ms` (Unix epoch) has come.
    """
    key = hmac.digest(signing_key, tenant.token_secret, hashlib.sha256)
    fields = _FIELDS.pack(b"r1.", user.tenant, user.id, user.credential_version, expires_ms)
    digest = hmac.digest(key, fields + device.encode(), hashlib.sha256)
    return f"r1.{expires_ms}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def verify(signing_key: bytes, tenant: Tenant, user: User, device: str, token: str, now_ms: int) -> bool:
    """Whether `token` was signed with `signing_key` for this tenant and user, as they are now, and this device.

    Nothing in a token is decoded but its expiry: all else is known, so the token is made again and compared.
    """
    match = _TOKEN.fullmatch(token)
    if not match:
        return False
    expires_ms = int(match[1])
    return now_ms < expires_ms and hmac.compare_digest(token, sign(signing_key, tenant, user, device, expires_ms))
