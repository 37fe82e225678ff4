"""Messages that change earlier ones: recall, edit, reaction (protocol §7)."""

from collections.abc import Sequence
from typing import Final

from rockdove.core.errors import Refusal, denied, invalid, not_found
from rockdove.core.msgid import timestamp_ms
from rockdove.core.ports import Permit, View
from rockdove.core.records import GROUPS_END, OPEN, Effect, Located, NoteEdit, Rewrite, Role, within
from rockdove.core.rules.posting import find_member
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

CONTENT_TYPES: Final = frozenset({pb.TXT, pb.IMAGE, pb.FILE, pb.AUDIO, pb.VIDEO, pb.LOCATION, pb.CUSTOM})


class Recall:
    """Take back a message: its own sender within a time, a group's admins anybody's at any time."""

    def __init__(self, conversation: int, user: int, target: int, permit: Permit, seconds: int) -> None:
        self.conversation = conversation
        self._user = user
        self._target = target
        self._permit = permit
        self._seconds = seconds

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        as_admin = await self._may_recall(view, now_ms)
        target, message = await find_target(view, self._user, self.conversation, self._target)
        if target.sender != self._user:
            if not as_admin:
                raise denied("only the sender and the admins of a group may recall a message: delete it for yourself instead")
        elif not as_admin:
            check_age(self._target, now_ms, self._seconds, "recalled")
        if message.removed:
            raise Refusal(pb.FAILED_PRECONDITION, "the message was recalled already: there is nothing left to do")
        effects: list[Effect] = [Rewrite(self._target, codec.tombstone(target.record))]
        for edit in await view.edits(self._target):
            located = await view.located(edit)
            if located is not None:
                effects.append(Rewrite(edit, codec.tombstone(located.record)))
        return effects

    async def _may_recall(self, view: View, now_ms: int) -> bool:
        """Whether the user is an admin here. One who is muted may still take back."""
        if self.conversation < GROUPS_END:
            _, member = await find_member(view, self.conversation, self._user)
            return member.role is not Role.MEMBER
        await self._permit.check(view, now_ms)
        return False


class Edit:
    """Replace the content of one's own message within a time. The first content stays beside the newest."""

    def __init__(self, conversation: int, user: int, change: pb.Change, permit: Permit, seconds: int, max_bytes: int) -> None:
        """`max_bytes`: of the record with the edit in it."""
        self.conversation = conversation
        self._user = user
        self._change = change
        self._permit = permit
        self._seconds = seconds
        self._max_bytes = max_bytes

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        await self._permit.check(view, now_ms)
        msgid = self._change.msgid
        target, message = await find_target(view, self._user, self.conversation, msgid)
        if target.sender != self._user:
            raise denied("only the sender may edit a message: reply to it instead")
        check_age(msgid, now_ms, self._seconds, "edited")
        if message.removed:
            raise Refusal(pb.FAILED_PRECONDITION, "the message was recalled: send a new one")
        if message.type != self._change.type:
            raise invalid(f"the message is of type {pb.MessageType.Name(message.type)}: give the new content the same type")
        record = codec.with_edit(target.record, self._change)
        if len(record) > self._max_bytes:
            raise invalid("the message and its new content are too long together: send a new one")
        return [Rewrite(msgid, record), NoteEdit(msgid, msgids[-1])]


class React:
    """Put an emoji on a message, or take it off."""

    def __init__(self, conversation: int, user: int, target: int, permit: Permit) -> None:
        self.conversation = conversation
        self._user = user
        self._target = target
        self._permit = permit

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:  # noqa: ARG002
        await self._permit.check(view, now_ms)
        _, message = await find_target(view, self._user, self.conversation, self._target)
        if message.removed:
            raise Refusal(pb.FAILED_PRECONDITION, "the message was recalled: there is nothing to react to")
        return []


async def find_target(view: View, user: int, conversation: int, msgid: int) -> tuple[Located, pb.Message]:
    """The message that a change points at. Raises Refusal: not there, or not for this user; the answer does not tell which."""
    target = await view.located(msgid) if msgid <= OPEN else None
    if target is None or target.conversation != conversation or not within(await view.visible(user, conversation), target.seq):
        raise not_found(f"there is no message {msgid} in this conversation: check the msgid")
    message = pb.Message.FromString(target.record)
    if message.type not in CONTENT_TYPES:
        raise invalid(f"a {pb.MessageType.Name(message.type)} cannot be changed: point at the message itself")
    return target, message


def check_age(msgid: int, now_ms: int, seconds: int, what: str) -> None:
    """Raises Refusal(FAILED_PRECONDITION) for a message older than `seconds`."""
    if now_ms - timestamp_ms(msgid) > seconds * 1000:
        raise Refusal(pb.FAILED_PRECONDITION, f"a message can be {what} within {seconds} s: it is too late for this one")
