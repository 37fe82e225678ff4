"""Why nothing could be measured."""

from functools import partial
from typing import Any


class BenchError(Exception):
    """`key` names a text of `rockdove.locale`, `values` fill it in."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = {name: str(value) for name, value in values.items()}

    def __reduce__(self) -> tuple[Any, ...]:  # it comes from other processes
        return partial(BenchError, self.key, **self.values), ()
