"""Messages and conversations as an application sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rockdove.client.content import Content, Edit, Removed, Text, changes_another, decode, encode, read_edit
from rockdove.client.errors import Refused
from rockdove.client.peer import Key, Peer, key_of, peer_of, wire_chat, wire_name
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import CONTENT_BYTES, NAME_LENGTH, TEXT_BYTES
from rockdove.wire.names import RULE, is_name


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has the message on stable storage (protocol §4). `seq` is 0 for a transient one."""

    peer: Peer
    msgid: int
    seq: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation's log, as it is now: edited, or `Removed`.

    `peer` names the conversation: the other user, or the Group. `timestamp_ms` is the server's, in ms since
    the Unix epoch. `seq` is 0 for a transient message, which is in no log.
    """

    peer: Peer
    sender: str
    msgid: int
    seq: int
    timestamp_ms: int
    content: Content
    reply_to: int = 0
    mentions: tuple[str, ...] = ()
    edited: bool = False  # `content` is not the first one
    reactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)  # emoji -> users; see Timeline

    @property
    def key(self) -> Key:
        """The conversation, as the wire has it."""
        return key_of(self.peer)

    @property
    def removed(self) -> bool:
        """Whether it was recalled, or deleted by this user."""
        return isinstance(self.content, Removed)

    @property
    def is_change(self) -> bool:
        """Whether it is a recall, edit or reaction: about an earlier message, and nothing to be shown by itself."""
        return changes_another(self.content)

    @property
    def text(self) -> str:
        """The words of a text or of a text's new version; empty for everything else."""
        content = self.content.content if isinstance(self.content, Edit) else self.content
        return content.text if isinstance(content, Text) else ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of the user's list. The cursors are explained in protocol §1 and §6.

    `name` is a group's display name. `left`: this user is no member any more, or the group was dissolved.
    """

    peer: Peer
    last_seq: int
    acked_seq: int
    read_seq: int
    peer_read_seq: int
    unread: int
    last: Message | None
    name: str = ""
    left: bool = False


def read_message(wire: pb.Message, me: str) -> Message:
    """A message as the user `me` sees it."""
    sender = getattr(wire, "from")
    name = wire.to if wire.chat != pb.SINGLE or sender == me else sender
    edited = wire.HasField("edited")
    content = read_edit(wire.edited).content if edited else decode(int(wire.type), wire.payload)
    return Message(
        peer=peer_of(wire.chat, name),
        sender=sender,
        msgid=wire.msgid,
        seq=wire.seq,
        timestamp_ms=wire.timestamp,
        content=Removed(int(wire.type)) if wire.removed else content,
        reply_to=wire.reply_to,
        mentions=tuple(wire.mentions),
        edited=edited,
    )


def read_conversation(wire: pb.Conversation, me: str) -> Conversation:
    """A line of the list of the user `me`."""
    return Conversation(
        peer=peer_of(wire.chat, wire.peer),
        last_seq=wire.last_seq,
        acked_seq=wire.acked_seq,
        read_seq=wire.read_seq,
        peer_read_seq=wire.peer_read_seq,
        unread=wire.unread,
        last=read_message(wire.last, me) if wire.last.msgid else None,
        name=wire.name,
        left=wire.left,
    )


def write_message(to: Peer, content: Content, reply_to: int, mentions: Sequence[str]) -> bytes:
    """The Message for the wire, without what the server fills in. Raises Refused(INVALID_ARGUMENT) beyond the limits (§4)."""
    name = wire_name(to)
    if not is_name(name):
        raise Refused(pb.INVALID_ARGUMENT, f"the name {name[:NAME_LENGTH]!r} is not {RULE}")
    if isinstance(content, Text) and (size := len(content.text.encode(errors="replace"))) > TEXT_BYTES:
        raise Refused(pb.INVALID_ARGUMENT, f"text is {size} bytes, at most {TEXT_BYTES}")
    try:
        kind, payload = encode(content)
    except ValueError as error:  # half a surrogate pair, a number out of its range, a Removed
        raise Refused(pb.INVALID_ARGUMENT, f"this content cannot be sent: {error}") from None
    if len(payload) > CONTENT_BYTES:
        raise Refused(pb.INVALID_ARGUMENT, f"content is {len(payload)} bytes, at most {CONTENT_BYTES}")
    wire = pb.Message(payload=payload, to=name, chat=wire_chat(to), reply_to=reply_to, mentions=mentions)
    wire.type = kind  # type: ignore[assignment]  # an open enum: Unknown may hold a newer one
    return wire.SerializeToString()
