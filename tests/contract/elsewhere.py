"""What lives on an event loop of its own, used from tests that start a new one for each call."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.engines.engine import DEADLINE_SECONDS

_T = TypeVar("_T")


class LoopThread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for what `work` returns there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_SECONDS)

    def close(self) -> None:
        """End the loop; what still runs there is cancelled."""
        self.run(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_SECONDS)
        self.loop.close()


class Elsewhere:
    """An object whose methods, all of them coroutines, run in that thread, whatever loop they are awaited on."""

    def __init__(self, thread: LoopThread, there: object) -> None:
        self._thread = thread
        self._there = there

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._there, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            return self._thread.run(method(*arguments, **options))

        return call


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
