"""A conversation as people look at it: recalls, edits and reactions joined with what they change."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from rockdove.client.content import Edit, Reaction, Recall, Removed
from rockdove.client.message import Message

CAPACITY: Final = 1000  # messages


class Timeline:
    """The messages of one conversation, each as it is now; iterating goes by seq.

    Give it whatever is received, sent, or read by `history`, in any order and as often as you like. Of more than
    `capacity` those with the lowest seqs are let go.
    """

    def __init__(self, messages: Iterable[Message] = (), *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._originals: dict[int, Message] = {}  # by msgid
        self._changes: dict[int, dict[int, Message]] = {}  # msgid of the original -> seq -> what changes it
        self._msgids: dict[int, int] = {}  # seq, of originals and changes -> msgid of the original
        for message in messages:
            self.add(message)

    def __len__(self) -> int:
        return len(self._originals)

    def __iter__(self) -> Iterator[Message]:
        for original in sorted(self._originals.values(), key=lambda message: message.seq):
            yield self._now(original)

    def get(self, msgid: int) -> Message | None:
        """The message as it is now, if it is here."""
        original = self._originals.get(msgid)
        return self._now(original) if original else None

    def add(self, message: Message) -> Message | None:
        """Take a message, or what changes one; returns the message as it is now.

        None for a change of a message that is not here (yet), and for what is in no log.
        """
        msgid = _changed(message) if message.is_change else message.msgid
        if not message.seq or not msgid:
            return None
        if message.is_change:
            self._changes.setdefault(msgid, {})[message.seq] = message
        else:
            self._originals[msgid] = message
        self._msgids[message.seq] = msgid
        while len(self._msgids) > self._capacity:
            self._forget(min(self._msgids))
        return self.get(msgid)

    def delete(self, seqs: Collection[int], through: int = 0) -> None:
        """This user has deleted these messages, and all up to `through` (see the event Deleted)."""
        for msgid, original in self._originals.items():
            if original.seq <= through or original.seq in seqs:
                self._originals[msgid] = _removed(original)

    def _forget(self, seq: int) -> None:
        msgid = self._msgids.pop(seq)
        if msgid in self._originals and self._originals[msgid].seq == seq:
            del self._originals[msgid]
        else:
            del self._changes[msgid][seq]
            if not self._changes[msgid]:
                del self._changes[msgid]

    def _now(self, message: Message) -> Message:
        changes = [change for _, change in sorted(self._changes.get(message.msgid, {}).items())]
        for change in changes:
            if isinstance(change.content, Recall):
                message = _removed(message)
            elif isinstance(change.content, Edit) and not message.removed:
                message = replace(message, content=change.content.content, edited=True)
        return message if message.removed else replace(message, reactions=_reactions(changes))


def _changed(change: Message) -> int:
    """The msgid of what it changes; 0 when that can no longer be told."""
    content = change.content
    return content.msgid if isinstance(content, Recall | Edit | Reaction) else 0


def _removed(message: Message) -> Message:
    if message.removed:
        return message
    return replace(message, content=Removed(), reply_to=0, mentions=(), edited=False, reactions={})


def _reactions(changes: Iterable[Message]) -> Mapping[str, tuple[str, ...]]:
    reactions: dict[str, dict[str, None]] = {}
    for change in changes:
        if isinstance(reaction := change.content, Reaction):
            users = reactions.setdefault(reaction.emoji, {})
            users.pop(change.sender, None)
            if not reaction.removed:
                users[change.sender] = None
    return {emoji: tuple(users) for emoji, users in reactions.items() if users}
