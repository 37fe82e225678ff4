"""The event loop as the core sees it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final

RESYNC_SECONDS: Final = 10.0
RESYNC_STEP: Final = 0.1  # seconds: a clock that was set is followed this slowly, so that no session ends by it


class LoopScheduler:
    """`core.ports.Scheduler` on asyncio."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[Exception], None], *, at_once: bool = True) -> None:
        """`on_error` gets what spawned work lets escape.

        `at_once`: work starts when it is spawned, outside of any task. There asyncio has no timeouts: not for a store on the
        network, whose work would wait anyway.
        """
        self._loop = loop
        self._on_error = on_error
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = at_once
        self._offset = time.time() - loop.time()
        loop.call_later(RESYNC_SECONDS, self._resync)

    def soon(self, call: Callable[[], None]) -> None:
        self._loop.call_soon(call)

    def later(self, delay_ms: int, call: Callable[[], None]) -> None:
        self._loop.call_later(delay_ms / 1000, call)

    def now_ms(self) -> int:
        return int((self._loop.time() + self._offset) * 1000)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`: at once, as far as it gets without waiting, and a task is made only for the rest; or all in a task."""
        if not self._at_once:
            self._keep(work)
            return
        try:
            waits_for = work.send(None)
        except StopIteration:
            return
        except Exception as error:
            self._on_error(error)
            return
        self._keep(_resume(work, waits_for))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(self._finish(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, rest: Coroutine[Any, Any, None]) -> None:
        try:
            await rest
        except Exception as error:
            self._on_error(error)

    def _resync(self) -> None:
        drift = time.time() - self._loop.time() - self._offset
        self._offset += max(-RESYNC_STEP, min(RESYNC_STEP, drift))
        self._loop.call_later(RESYNC_SECONDS, self._resync)


@coroutine
def _resume(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that has begun, and waits for something."""
    while True:
        try:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(value)
        except StopIteration:
            return
