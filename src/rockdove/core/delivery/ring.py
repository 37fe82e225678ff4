"""What this node tells the others: collected by topic, and rung once per turn.

A ring carries no authority, and may be missed (ports.Bus): whatever depends on it must also come about without it, later.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from rockdove.core import news_pb2 as news
from rockdove.core.ports import Bus, Scheduler
from rockdove.core.records import GROUPS_END, Draft, DraftRun, single_members
from rockdove.core.topics import group_topic, user_topic
from rockdove.wire import im_pb2 as pb
from rockdove.wire.codec import varint

RECORD_BYTES: Final = 16 * 1024  # of a message that is told whole; who hears of a longer one reads it
RING_BYTES: Final = 256 * 1024  # in one ring, if it is not a single item


class Ring:
    """Rings for the sessions of other nodes."""

    def __init__(self, bus: Bus, scheduler: Scheduler) -> None:
        self._bus = bus
        self._scheduler = scheduler
        self._waiting: dict[str, list[bytes]] = {}  # items by topic, each as a field of News
        self.sent = 0  # rings since the start

    # -- what is stored

    def message(self, draft: Draft) -> None:
        """A message of a log is durable."""
        self._to_members(draft.conversation, _stored(draft, draft.group_version))

    def run(self, run: DraftRun) -> None:
        """Likewise, for several in a row."""
        stored = news.Stored(
            conversation=run.conversation, sender=run.sender, device=run.device, group_version=run.group_version
        )
        for seq, (msgid, record) in enumerate(zip(run.msgids, run.records, strict=True), run.first_seq):
            stored.seq, stored.msgid, stored.record = seq, msgid, record if len(record) <= RECORD_BYTES else b""
            self._to_members(run.conversation, stored)

    def reminder(self, draft: Draft) -> None:
        """This message was perhaps not told: whoever has not got it reads it."""
        self._to_members(draft.conversation, news.Stored(conversation=draft.conversation, seq=draft.seq))

    def _to_members(self, conversation: int, stored: news.Stored) -> None:
        item = _field(_field(stored.SerializeToString()))  # Item.stored in News.items
        if conversation < GROUPS_END:
            self._put(group_topic(conversation), item)
        else:
            for user in set(single_members(conversation)):
                self._put(user_topic(user), item)

    def group_change(
        self, conversation: int, version: int, joined: Sequence[int], parted: Sequence[int], notices: Iterable[Draft]
    ) -> None:
        """A group has changed. The nodes of those who joined need not attend to it yet."""
        stored = [_stored(notice, version) for notice in notices]
        change = news.GroupChange(conversation=conversation, version=version, joined=joined, parted=parted, notices=stored)
        self._item(group_topic(conversation), news.Item(group_change=change))
        for user in joined:
            change = news.GroupChange(conversation=conversation, version=version, joined=[user])
            self._item(user_topic(user), news.Item(group_change=change))

    def sight(self, user: int, conversation: int) -> None:
        """What a user may see of a conversation is not what it was."""
        self._item(user_topic(user), news.Item(sight=news.Sight(user=user, conversation=conversation)))

    # -- what is not kept

    def to_user(self, user: int, frame: bytes, but_device: int) -> None:
        """News for a user's devices."""
        self._item(user_topic(user), news.Item(event=news.Event(user=user, frame=frame, but_device=but_device)))

    def to_conversation(self, conversation: int, frame: bytes, but_device: int, group_version: int) -> None:
        """News for everybody in a conversation."""
        if conversation < GROUPS_END:
            event = news.Event(conversation=conversation, frame=frame, but_device=but_device, group_version=group_version)
            self._item(group_topic(conversation), news.Item(event=event))
        else:
            for user in set(single_members(conversation)):
                self.to_user(user, frame, but_device)

    def delivered(self, user: int, conversation: int, seq: int) -> None:
        """The sender was told that this user has the conversation up to `seq`."""
        delivered = news.Delivered(user=user, conversation=conversation, seq=seq)
        self._item(user_topic(user), news.Item(delivered=delivered))

    def end_session(self, user: int, device: str, code: int, reason: str) -> None:
        """A session of this device must end."""
        end = news.SessionEnd(user=user, device=device, code=code, reason=reason)
        self._item(user_topic(user), news.Item(session_end=end))

    def presence(self, who: int, whom: Collection[int], state: pb.PresenceState, node: int) -> None:
        """What there is to see of `who`, for these of his friends."""
        told = state.SerializeToString()
        for friend in whom:
            presence = news.Presence(who=who, whom=[friend], state=told, node=node)
            self._item(user_topic(friend), news.Item(presence=presence))

    def relation(self, who: int, whom: int, name: str, *, visible: bool) -> None:
        """`whom` sees from now on how `who` is, or no more."""
        relation = news.Relation(who=who, whom=whom, visible=visible, name=name)
        self._item(user_topic(who), news.Item(relation=relation))

    def typing(self, conversation: int, user: int, receiver: int, state: pb.PresenceState, group_version: int) -> None:
        """A user types, to `receiver` or, where that is 0, in a group."""
        topic = user_topic(receiver) if receiver else group_topic(conversation)
        told = state.SerializeToString()
        typing = news.Typing(conversation=conversation, user=user, state=told, group_version=group_version)
        self._item(topic, news.Item(typing=typing))

    # -- ringing

    def _item(self, topic: str, item: news.Item) -> None:
        self._put(topic, _field(item.SerializeToString()))

    def _put(self, topic: str, item: bytes) -> None:
        waiting = self._waiting
        if not waiting:
            self._scheduler.soon(self._flush)
        if topic in waiting:
            waiting[topic].append(item)
        else:
            waiting[topic] = [item]

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for topic, items in waiting.items():
            if len(items) == 1:
                self._ring(topic, items[0])
            else:
                for part in _parts(items):
                    self._ring(topic, part)

    def _ring(self, topic: str, payload: bytes) -> None:
        self.sent += 1
        self._bus.ring(topic, payload)


def _stored(draft: Draft, group_version: int) -> news.Stored:
    return news.Stored(
        conversation=draft.conversation,
        seq=draft.seq,
        msgid=draft.msgid,
        sender=draft.sender,
        device=draft.device,
        record=draft.record if len(draft.record) <= RECORD_BYTES else b"",
        group_version=group_version,
    )


def _field(data: bytes) -> bytes:
    """`data` as the first field of a message."""
    return b"\x0a%b%b" % (varint(len(data)), data)


def _parts(items: Sequence[bytes]) -> Iterable[bytes]:
    """The items joined, in as few rings as hold them."""
    part: list[bytes] = []
    size = 0
    for item in items:
        if part and size + len(item) > RING_BYTES:
            yield b"".join(part)
            part, size = [], 0
        part.append(item)
        size += len(item)
    yield b"".join(part)
