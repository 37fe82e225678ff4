"""Passwords cost what the tenant wants them to cost, and too many at once are turned away."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rockdove.auth import password
from rockdove.auth.password import CORES, COSTS, PASSWORD_BYTES, PasswordChecker, decoy_hash, hash_password, hash_passwords
from rockdove.core.errors import Refusal
from rockdove.wire import im_pb2 as pb


@pytest.fixture
def checker() -> Iterator[PasswordChecker]:
    checker = PasswordChecker(waiting=3)
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


def test_too_many_waiting_checks_are_refused_and_the_others_end(
    checker: PasswordChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(password, "verify_password", lambda password_hash, password: go.wait(60))

    async def scenario() -> None:
        checks = [asyncio.create_task(checker.verify("hash", "password")) for _ in range(CORES + 3)]
        await asyncio.sleep(0)  # each has been given to a thread or waits
        with pytest.raises(Refusal) as refused:
            await checker.verify("hash", "password")
        assert refused.value.code == pb.RESOURCE_EXHAUSTED
        go.set()
        assert all(await asyncio.gather(*checks))
        assert await checker.verify("hash", "password")  # there is room again

    asyncio.run(scenario())
