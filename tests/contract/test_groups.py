"""Every adapter of core.ports.Store carries the same changes out, and shows everyone the same part of the logs."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.conftest import MakeBackend
from tests.contract.group_machine import GroupMachine


def test_store_does_what_the_model_of_groups_says(make_backend: MakeBackend, examples: int) -> None:
    sizes = settings(max_examples=examples * 3 // 5, stateful_step_count=25)
    run_state_machine_as_test(lambda: GroupMachine(make_backend), settings=sizes)
