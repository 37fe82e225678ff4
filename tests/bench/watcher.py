"""Somebody who hears how far a run is."""

from collections.abc import Callable


class Steps:
    """Keeps which steps began."""

    def __init__(self, when: str = "", then: Callable[[], None] = lambda: None) -> None:
        """When that step begins, `then` is called."""
        self.begun: list[str] = []
        self._when = when
        self._then = then

    def begin(self, scenario: str, step: str, total: float) -> None:
        self.begun.append(step)
        if step == self._when:
            self._then()

    def advance(self, done: float) -> None:
        assert done >= 0
