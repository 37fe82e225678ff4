"""Passwords cost what the tenant wants them to cost."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rockdove.auth import password
from rockdove.auth.password import CORES, COSTS, PASSWORD_BYTES, PasswordChecker, decoy_hash, hash_password, hash_passwords


@pytest.fixture
def checker() -> Iterator[PasswordChecker]:
    checker = PasswordChecker()
    yield checker
    checker.close()


@pytest.mark.parametrize("cost", COSTS)
def test_a_hash_is_argon2id_at_the_named_cost(cost: str) -> None:
    memory_kib, passes = COSTS[cost]
    assert hash_password("secret", cost).startswith(f"$argon2id$v=19$m={memory_kib},t={passes},p=1$")


def test_the_same_password_never_has_the_same_hash() -> None:
    assert hash_password("secret", "light") != hash_password("secret", "light")


@pytest.mark.parametrize("right", ["secret", "pässwörd 密码", " spaces ", "a:b", "x" * PASSWORD_BYTES])
def test_only_the_right_password_is_verified(checker: PasswordChecker, right: str) -> None:
    encoded = hash_password(right, "light")
    assert asyncio.run(checker.verify(encoded, right))
    for wrong in ("", right + " ", right[:-1], right.swapcase() + "!"):
        assert not asyncio.run(checker.verify(encoded, wrong))


def test_many_hashes_come_in_the_order_of_the_passwords(checker: PasswordChecker) -> None:
    passwords = [f"password {number}" for number in range(20)]
    for secret, encoded in zip(passwords, hash_passwords(passwords, "light"), strict=True):
        assert asyncio.run(checker.verify(encoded, secret))


@pytest.mark.parametrize("cost", COSTS)
def test_a_decoy_costs_the_same_as_a_hash_and_fits_no_password(checker: PasswordChecker, cost: str) -> None:
    decoy, real = decoy_hash(cost), hash_password("secret", cost)
    assert decoy.split("$")[:4] == real.split("$")[:4]
    assert len(decoy) == len(real)
    assert not asyncio.run(checker.verify(decoy, ""))


def test_an_unknown_cost_has_the_standard_decoy() -> None:
    assert decoy_hash("no such cost").split("$")[:4] == decoy_hash("standard").split("$")[:4]


def test_a_password_that_is_too_long_is_wrong_even_if_it_was_stored(checker: PasswordChecker) -> None:
    long = "x" * (PASSWORD_BYTES + 1)
    assert not asyncio.run(checker.verify(hash_password(long, "light"), long))


def test_no_more_are_checked_at_a_time_than_there_are_cores(checker: PasswordChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most = 0, 0
    lock, all_there = threading.Lock(), threading.Event()

    def verify(password_hash: str, password: str) -> bool:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            if under_way == CORES:
                all_there.set()
        all_there.wait(60)
        with lock:
            under_way -= 1
        return True

    monkeypatch.setattr(password, "verify_password", verify)

    async def scenario() -> None:
        assert all(await asyncio.gather(*(checker.verify("hash", "password") for _ in range(CORES + 3))))

    asyncio.run(scenario())
    assert most == CORES
