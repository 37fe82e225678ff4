"""Passwords as argon2id hashes, at a cost that each tenant chooses."""

import asyncio
import os
import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

PASSWORD_BYTES: Final = 1024  # longest password
RULE: Final = f"1 to {PASSWORD_BYTES} bytes"


class Cost(NamedTuple):
    """What one guess costs whoever stole the hashes, and one login costs us. One thread each."""

    memory_kib: int
    passes: int


COSTS: Final = {
    "light": Cost(1024, 1),  # 0.6 ms: tests, throw-away tenants
    "standard": Cost(8 * 1024, 1),  # 5 ms
    "strong": Cost(19 * 1024, 2),  # 23 ms, OWASP's recommendation
}
CORES: Final = os.cpu_count() or 1


def is_password(text: str) -> bool:
    """Whether `text` may be a password; see RULE."""
    return 0 < len(text.encode()) <= PASSWORD_BYTES


def hash_password(password: str, cost: str) -> str:
    """The encoded argon2id hash of `password` with a new salt; `cost` is a name in COSTS."""
    memory_kib, passes = COSTS[cost]
    return PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1).hash(password)


def hash_passwords(passwords: Iterable[str], cost: str) -> Iterator[str]:
    """`hash_password` of each, in order, on all cores, as they get ready."""
    pool = ThreadPoolExecutor(CORES)  # argon2 lets go of the interpreter's lock
    try:
        yield from pool.map(lambda password: hash_password(password, cost), passwords)
    finally:
        pool.shutdown(cancel_futures=True)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether `password` has that encoded hash. Takes what the hash's own cost takes."""
    try:
        return PasswordHasher().verify(password_hash, password)
    except VerificationError:
        return False


def decoy_hash(cost: str) -> str:
    """A hash that no password has: checking against it takes as long as against a real one of that cost.

    A cost that is not in COSTS counts as standard.
    """
    memory_kib, passes = COSTS.get(cost, COSTS["standard"])
    salt, digest = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"


class PasswordChecker:
    """Verifies off the event loop, as many at once as there are cores. How many come is for the caller to bound."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(CORES, thread_name_prefix="password")

    async def verify(self, password_hash: str, password: str) -> bool:
        """`verify_password`, as slow for one that is too long."""
        if not is_password(password):
            password = ""  # never anybody's
        return await asyncio.get_running_loop().run_in_executor(self._pool, verify_password, password_hash, password)

    def close(self) -> None:
        """Give up what still waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)
