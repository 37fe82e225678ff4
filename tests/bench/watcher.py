"""Somebody who hears how far a run is."""


class Steps:
    """Keeps which steps began."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, scenario: str, step: str, total: float) -> None:
        self.begun.append(step)

    def advance(self, done: float) -> None:
        assert done >= 0
