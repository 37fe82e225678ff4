"""What was moved from SQLite to PostgreSQL answers as before: the models go on with it."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.backends import Backend
from tests.contract.group_machine import GroupMachine
from tests.contract.machine import StoreMachine
from tests.contract.moved_backend import MovedBackend, interruptions
from tests.engines.postgres import PostgresServer


@pytest.fixture
def make_moving(postgres: PostgresServer, migrated: str, template: Path, tmp_path: Path) -> Callable[[], Backend]:
    """Makes backends that are moved at their first restart."""
    numbers, after = count(), interruptions()
    return lambda: MovedBackend(tmp_path / f"data{next(numbers)}", template, postgres, migrated, after)


@pytest.mark.parametrize("machine", [StoreMachine, GroupMachine])
def test_a_moved_store_does_what_the_model_says(
    make_moving: Callable[[], Backend], machine: Callable[[Callable[[], Backend]], StoreMachine]
) -> None:
    sizes = settings(max_examples=12, stateful_step_count=30)
    run_state_machine_as_test(lambda: machine(make_moving), settings=sizes)
