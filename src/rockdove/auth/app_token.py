"""App tokens: with them the tenant's own backend vouches for a user (JWT, HS256)."""

import secrets
from typing import Final

import jwt

from rockdove.core.records import Tenant

_ALGORITHM: Final = "HS256"
_CLAIMS: Final = ["sub", "org", "appkey", "exp"]
_SKEW_SECONDS: Final = 60  # a token made "now" by a clock that is ahead of ours is good


def new_secret() -> bytes:
    """A secret for a tenant: 43 characters of text, so that it can be pasted into any JWT library as it is."""
    return secrets.token_urlsafe(32).encode()


def sign(tenant: Tenant, name: str, now_seconds: int, expires_seconds: int) -> str:
    """A token, made now, that lets `name` in until `expires_seconds`; both after the Unix epoch."""
    claims = {"sub": name, "org": tenant.org, "appkey": tenant.appkey, "iat": now_seconds, "exp": expires_seconds}
    return jwt.encode(claims, tenant.token_secret, algorithm=_ALGORITHM)


def verify(tenant: Tenant, name: str, kicked_ms: int, token: str, now_ms: int) -> bool:
    """Whether the tenant's secret signed that `name` of this tenant may come in now.

    On a device that was ever kicked (last `kicked_ms` after the Unix epoch, 0 for never) the token must say that it was
    made after that.
    """
    if not tenant.token_secret or token.count(".") != 2:
        return False
    try:
        claims = jwt.decode(
            token,
            tenant.token_secret,
            algorithms=[_ALGORITHM],
            # The clock is ours: PyJWT would take the system's.
            options={"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, RecursionError):  # the last: a header nested deeply on purpose
        return False
    return (
        (claims["sub"], claims["org"], claims["appkey"]) == (name, tenant.org, tenant.appkey)
        and _is_number(claims["exp"])
        and now_ms < claims["exp"] * 1000
        and _is_number(claims.get("nbf", 0))
        and (claims.get("nbf", 0) - _SKEW_SECONDS) * 1000 <= now_ms
        and (not kicked_ms or (_is_number(claims.get("iat")) and claims["iat"] * 1000 >= kicked_ms))
    )


def _is_number(claim: object) -> bool:
    return isinstance(claim, int | float)
