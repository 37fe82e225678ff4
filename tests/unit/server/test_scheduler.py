"""Work that is spawned runs at once, or in a task where it may need one."""

import asyncio

import pytest

from rockdove.server.scheduler import LoopScheduler


@pytest.mark.parametrize("at_once", [True, False])
def test_work_goes_on_after_it_waited_and_its_faults_are_told(at_once: bool) -> None:
    done: list[str] = []
    faults: list[Exception] = []

    async def work(name: str, fault: Exception | None) -> None:
        done.append(f"{name} begins")
        await asyncio.sleep(0)
        done.append(f"{name} ends")
        if fault is not None:
            raise fault

    async def spawn() -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop(), faults.append, at_once=at_once)
        fault = ValueError()
        scheduler.spawn(work("one", None))
        assert done == (["one begins"] if at_once else [])
        scheduler.spawn(work("two", fault))
        async with asyncio.timeout(60):
            while len(done) < 4 or not faults:
                await asyncio.sleep(0)
        assert done == ["one begins", "two begins", "one ends", "two ends"]
        assert faults == [fault]

    asyncio.run(spawn())


def test_in_a_task_there_are_timeouts() -> None:
    outcome: list[str] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
        except TimeoutError:
            outcome.append("timed out")

    async def spawn() -> None:
        LoopScheduler(asyncio.get_running_loop(), lambda error: outcome.append(repr(error)), at_once=False).spawn(work())
        async with asyncio.timeout(60):
            while not outcome:
                await asyncio.sleep(0.001)

    asyncio.run(spawn())
    assert outcome == ["timed out"]
