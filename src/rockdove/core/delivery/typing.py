"""Who is typing, told to those he types to (protocol §6)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.ring import Ring
from rockdove.core.ports import Scheduler
from rockdove.core.records import GROUPS_END, peer_of
from rockdove.core.registry import Registry
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.core.session import Session

REPEAT_MS: Final = 3_000  # a session is told about once in this time, in each conversation
GATHER_MS: Final = 200  # what comes within this shares a frame
REMEMBERED: Final = 100_000  # who was told lately; with more at a time the rest is not told
TYPISTS: Final = 10  # of one conversation that are told at once
ITEMS: Final = 2_000  # told at once; the rest follows

_Typists = dict[int, pb.PresenceState]  # by user


class TypingNews:
    """Passes on who types, as seldom as it is of use."""

    def __init__(self, registry: Registry, fanout: Fanout, scheduler: Scheduler, ring: Ring | None = None) -> None:
        self._ring = ring
        self._registry = registry
        self._fanout = fanout
        self._scheduler = scheduler
        self._told: dict[tuple[int, int], int] = {}  # (device, conversation) -> when, oldest first
        self._waiting: dict[int, _Typists] = {}  # by conversation
        self._armed = False

    def note(self, session: "Session", conversation: int, group_id: str = "", group_version: int = 0) -> None:
        """Somebody types, to a user or in a group of that version, and may."""
        now_ms = self._scheduler.now_ms()
        self._forget_old(now_ms)
        place = session.outbound.device, conversation
        if place in self._told or len(self._told) >= REMEMBERED:
            return
        self._told[place] = now_ms
        state = pb.PresenceState(
            user=session.name,
            state=pb.Presence.TYPING,
            chat=pb.GROUP_CHAT if group_id else pb.SINGLE,
            peer=group_id or session.name,
        )
        if self._ring is not None:
            receiver = peer_of(conversation, session.user) if conversation >= GROUPS_END else 0
            self._ring.typing(conversation, session.user, receiver, state, group_version)
        self.heard(conversation, session.user, state, group_version)

    def heard(self, conversation: int, user: int, state: pb.PresenceState, group_version: int = 0) -> None:
        """A user types, on this node or another: those who are here are told."""
        if not self._fanout.knows(conversation, group_version):
            return
        self._waiting.setdefault(conversation, {})[user] = state
        if not self._armed:
            self._armed = True
            self._scheduler.later(GATHER_MS, self._tell)

    def _forget_old(self, now_ms: int) -> None:
        while self._told:
            place = next(iter(self._told))
            if now_ms - REPEAT_MS < self._told[place] <= now_ms:
                break
            del self._told[place]

    def _tell(self) -> None:
        news: dict[int, list[pb.PresenceState]] = {}
        items = 0
        while self._waiting and items < ITEMS:
            conversation = next(iter(self._waiting))
            typists = dict(list(self._waiting.pop(conversation).items())[-TYPISTS:])
            for user in self._receivers(conversation, typists):
                told = [item for typist, item in typists.items() if typist != user]
                if told:
                    news.setdefault(user, []).extend(told)
                    items += len(told)
        for user, told in news.items():
            event = pb.Presence(event=pb.PresenceList(items=told))
            self._fanout.to_user_here(user, codec.event(pb.PRESENCE, event.SerializeToString()))
        self._armed = bool(self._waiting)
        if self._armed:
            self._scheduler.later(GATHER_MS, self._tell)

    def _receivers(self, conversation: int, typists: _Typists) -> Iterable[int]:
        if conversation < GROUPS_END:
            return [inbox.user for inbox in self._registry.group(conversation)]
        return {peer_of(conversation, typist) for typist in typists}
