"""rockdove, but it dies or freezes while it stores a message that says LAST WORDS: `last_words.py MOMENT serve …`.

MOMENT is `before` (it is killed before the database hears of the message), `during` (the message is on its way), `after` (it is
stored, and nobody was told) or `locked` (it is frozen within a transaction that has locked the conversation).
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from rockdove.cli import main
from rockdove.store.postgres import lane
from rockdove.store.postgres.changing import Changing
from rockdove.store.postgres.plain import Plain

LAST_WORDS = b"last words"
MOMENTS = ("before", "during", "after")

Run = Callable[[Any], Coroutine[Any, Any, None]]


def end(number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def doomed(moment: str, run: Run) -> Run:
    """What runs a batch, with an end to it."""

    async def run_to_the_end(work: Any) -> None:
        if not any(LAST_WORDS in draft.body for draft in work._batch.messages):
            await run(work)
        elif moment == "before":
            end()
        elif moment == "during":
            storing = asyncio.create_task(run(work))
            await asyncio.sleep(0)  # until it waits for an answer
            end()
            await storing
        else:
            await run(work)
            end()

    return run_to_the_end


def freezing(lock: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """What locks conversations, with a stop after it, once."""
    frozen = False

    async def lock_and_freeze(work: Any, *arguments: Any) -> None:
        nonlocal frozen
        await lock(work, *arguments)
        if not frozen and any(LAST_WORDS in draft.body for draft in work._batch.messages):
            frozen = True
            end(signal.SIGSTOP)

    return lock_and_freeze


if __name__ == "__main__":
    moment = sys.argv.pop(1)
    if moment == "locked":
        lane.Plain = Changing
        Changing._lock = freezing(Changing._lock)
    else:
        Plain.run, Changing.run = doomed(moment, Plain.run), doomed(moment, Changing.run)
    sys.exit(main())
