"""Messages and conversations as an application sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from rockdove.client.content import Content, Edit, Text, decode, encode
from rockdove.client.errors import Refused
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import CONTENT_BYTES, NAME_LENGTH, TEXT_BYTES
from rockdove.wire.names import RULE, is_name

Key = tuple[int, str]  # (Chat, peer): one conversation of this user


class Chat(IntEnum):
    """What a peer's name refers to."""

    SINGLE = pb.SINGLE  # a user
    GROUP = pb.GROUP_CHAT  # a group id


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has the message on stable storage (protocol §4). `seq` is 0 for a transient one."""

    msgid: int
    seq: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation's log.

    `peer` names the conversation: the other user, or the group. `timestamp_ms` is the server's, in ms since
    the Unix epoch. `seq` is 0 for a transient message, which is in no log.
    """

    chat: int  # a Chat; an int, because a newer server may know more of them
    peer: str
    sender: str
    msgid: int
    seq: int
    timestamp_ms: int
    content: Content
    reply_to: int = 0
    mentions: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The conversation."""
        return self.chat, self.peer

    @property
    def text(self) -> str:
        """The words of a text or of a text's new version; empty for everything else."""
        content = self.content.content if isinstance(self.content, Edit) else self.content
        return content.text if isinstance(content, Text) else ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of the user's list. The cursors are explained in protocol §1 and §6."""

    chat: int
    peer: str
    last_seq: int
    acked_seq: int
    read_seq: int
    peer_read_seq: int
    unread: int
    last: Message | None


def read_message(wire: pb.Message, me: str) -> Message:
    """A message as the user `me` sees it."""
    sender = getattr(wire, "from")
    peer = wire.to if wire.chat != pb.SINGLE or sender == me else sender
    return Message(
        chat=int(wire.chat),
        peer=peer,
        sender=sender,
        msgid=wire.msgid,
        seq=wire.seq,
        timestamp_ms=wire.timestamp,
        content=decode(int(wire.type), wire.payload),
        reply_to=wire.reply_to,
        mentions=tuple(wire.mentions),
    )


def read_conversation(wire: pb.Conversation, me: str) -> Conversation:
    """A line of the list of the user `me`."""
    return Conversation(
        chat=int(wire.chat),
        peer=wire.peer,
        last_seq=wire.last_seq,
        acked_seq=wire.acked_seq,
        read_seq=wire.read_seq,
        peer_read_seq=wire.peer_read_seq,
        unread=wire.unread,
        last=read_message(wire.last, me) if wire.last.msgid else None,
    )


def write_message(to: str, content: Content, chat: int, reply_to: int, mentions: Sequence[str]) -> bytes:
    """The Message for the wire, without what the server fills in. Raises Refused(INVALID_ARGUMENT) beyond the limits (§4)."""
    if not is_name(to):
        raise Refused(pb.INVALID_ARGUMENT, f"the name {to[:NAME_LENGTH]!r} is not {RULE}")
    if isinstance(content, Text) and (size := len(content.text.encode())) > TEXT_BYTES:
        raise Refused(pb.INVALID_ARGUMENT, f"text is {size} bytes, at most {TEXT_BYTES}")
    kind, payload = encode(content)
    if len(payload) > CONTENT_BYTES:
        raise Refused(pb.INVALID_ARGUMENT, f"content is {len(payload)} bytes, at most {CONTENT_BYTES}")
    wire = pb.Message(payload=payload, to=to, reply_to=reply_to, mentions=mentions)
    wire.type = kind  # type: ignore[assignment]  # an open enum: Unknown may hold a newer one
    wire.chat = chat  # type: ignore[assignment]
    return wire.SerializeToString()
