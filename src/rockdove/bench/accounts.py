"""As whom the load logs in."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import jwt

from rockdove.bench.errors import BenchError

_TOKEN_SECONDS: Final = 86_400
DEVICE: Final = "bench"


@dataclass(frozen=True, slots=True)
class Account:
    """One user. `token` is his password or an app token."""

    org: str
    appkey: str
    name: str
    token: str


class Accounts(Protocol):
    """The users of one tenant, numbered."""

    def account(self, number: int) -> Account:
        """The user with this number, from 0. Raises BenchError when there are not so many."""
        ...


@dataclass(frozen=True, slots=True)
class TokenAccounts:
    """Users whom app tokens vouch for (docs/operations.md); the server makes them at their first login."""

    org: str
    appkey: str
    secret: str
    prefix: str  # of their names: that of another run makes other users

    def account(self, number: int) -> Account:
        """Signs a token."""
        name, now = f"{self.prefix}-{number:06d}", int(time.time())
        claims = {"sub": name, "org": self.org, "appkey": self.appkey, "iat": now, "exp": now + _TOKEN_SECONDS}
        return Account(self.org, self.appkey, name, jwt.encode(claims, self.secret, algorithm="HS256"))


@dataclass(frozen=True, slots=True)
class ListedAccounts:
    """Users with passwords, as `rockdove user add --from-file` reads them."""

    org: str
    appkey: str
    people: Sequence[tuple[str, str]]

    def account(self, number: int) -> Account:
        """The one on that line."""
        if number >= len(self.people):
            raise BenchError("bench_too_few_users", count=len(self.people))
        name, password = self.people[number]
        return Account(self.org, self.appkey, name, password)
