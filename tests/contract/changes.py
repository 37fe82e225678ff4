"""Permits and rules that do as they are told."""

from collections.abc import Awaitable, Callable, Sequence

from rockdove.core.errors import denied
from rockdove.core.ports import View
from rockdove.core.records import Change, Draft, Effect

Look = Callable[[View], Awaitable[None]]


class Foreseen:
    """A rule whose effects are known beforehand, or that refuses."""

    conversation = 0

    def __init__(self, effects: Sequence[Effect], *, refused: bool = False, look: Look | None = None) -> None:
        """`look` is shown the view before."""
        self._effects = effects
        self._refused = refused
        self._look = look

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        if self._look is not None:
            await self._look(view)
        if self._refused:
            raise denied("told to refuse")
        return self._effects


class IfMember:
    """The permit for members alone."""

    def __init__(self, conversation: int, user: int) -> None:
        self._conversation = conversation
        self._user = user

    async def check(self, view: View, now_ms: int) -> None:
        if await view.member(self._conversation, self._user) is None:
            raise denied("not a member")


def change_of(*effects: Effect, refused: bool = False, draft: Draft | None = None, look: Look | None = None) -> Change:
    """A change whose rule decides on these effects."""
    return Change(Foreseen(effects, refused=refused, look=look), lambda *_: None, draft=draft)
