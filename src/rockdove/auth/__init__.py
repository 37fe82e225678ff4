"""Is this token this user's?"""

from rockdove.auth import app_token, resume
from rockdove.auth.password import PasswordChecker, decoy_hash
from rockdove.core.records import Tenant, User, UserState
from rockdove.core.settings import DAY_MS


class TokenAuth:
    """`core.ports.Auth`: a token is a resume token, an app token or a password, tried in this order, cheapest first."""

    def __init__(self, signing_key: bytes, resume_token_days: int = 30) -> None:
        self._key = signing_key
        self._resume_ms = resume_token_days * DAY_MS
        self._passwords = PasswordChecker()

    def recognises(
        self, tenant: Tenant, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        if user and user.state is not UserState.ACTIVE:
            return False
        if user and resume.verify(self._key, tenant, user, device, kicked_ms, token, now_ms):
            return True
        return app_token.verify(tenant, name, kicked_ms, token, now_ms)

    async def check(
        self, tenant: Tenant | None, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        if tenant and self.recognises(tenant, name, user, device, kicked_ms, token, now_ms):
            return True
        # Whoever is refused has waited for one argon2, whatever the reason (protocol §3).
        known_hash = user.password_hash if user else ""
        right = await self._passwords.verify(known_hash or decoy_hash(tenant.password_cost if tenant else "standard"), token)
        return right and user is not None and user.state is UserState.ACTIVE and bool(known_hash)

    def resume_token(self, tenant: Tenant, user: User, device: str, kicked_ms: int, now_ms: int) -> tuple[str, int]:
        expires_ms = now_ms + self._resume_ms
        return resume.sign(self._key, tenant, user, device, kicked_ms, expires_ms), expires_ms

    def close(self) -> None:
        """Give up the checks under way."""
        self._passwords.close()
