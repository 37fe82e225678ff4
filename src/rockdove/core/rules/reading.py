"""What a user notes about messages for himself: read marks, deletion."""

from collections.abc import Sequence

from rockdove.core.errors import invalid
from rockdove.core.ports import View
from rockdove.core.records import OPEN, Effect, HideMessages, MoveRead, Spans


class MarkRead:
    """Move a user's read cursor, never back (protocol §6)."""

    def __init__(self, user: int, conversation: int, seq: int) -> None:
        self._user = user
        self.conversation = conversation
        self._seq = seq
        self.moved = False

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        self.moved = False
        last = await last_visible(view, self._user, self.conversation)
        if self._seq > last:
            raise invalid(f"seq {self._seq} is beyond the last that you can see, {last}")
        if self._seq <= await view.read_seq(self._user, self.conversation):
            return []
        self.moved = True
        return [MoveRead(self._user, self.conversation, self._seq)]


class DeleteForMe:
    """Hide messages from one user."""

    def __init__(self, user: int, conversation: int, seqs: tuple[int, ...], through: int) -> None:
        self._user = user
        self.conversation = conversation
        self._seqs = seqs
        self._through = through

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        last = await last_visible(view, self._user, self.conversation)
        highest = max(self._through, *self._seqs, 0)
        if highest > last:
            raise invalid(f"seq {highest} is beyond the last that you can see, {last}")
        return [HideMessages(self._user, self.conversation, self._seqs, self._through)]


async def last_visible(view: View, user: int, conversation: int) -> int:
    """The highest seq that the user can see now; what he has cleared counts as seen. 0 if there is none."""
    spans: Spans = await view.visible(user, conversation)
    if not spans:
        return 0
    after, through = spans[-1]
    return max(after, await view.last_seq(conversation)) if through == OPEN else through
