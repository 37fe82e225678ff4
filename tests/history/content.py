"""How messages are called in histories: their conversation, and what they say."""

from typing import NamedTuple

from rockdove.wire import im_pb2 as pb

GROUP_MARK = "#"
_RECALL = b"\0recall "
_EDIT = b"\0edit "


def single_conversation(one: str, other: str) -> str:
    """The name of the conversation of two users, or of one with himself."""
    return "+".join(sorted({one, other}))


def group_conversation(group_id: str) -> str:
    """The name of a group's conversation."""
    return GROUP_MARK + group_id


def is_group(conversation: str) -> bool:
    """Whether that is the name of a group's conversation."""
    return conversation.startswith(GROUP_MARK)


def recall_of(msgid: int) -> bytes:
    """What a RECALL of that message says."""
    return _RECALL + str(msgid).encode()


def edit_of(msgid: int, words: bytes) -> bytes:
    """What an EDIT of that message says."""
    return _EDIT + str(msgid).encode() + b" " + words


def recalled(content: bytes) -> int:
    """The msgid that is recalled by this; 0 if it is something else."""
    return int(content.removeprefix(_RECALL)) if content.startswith(_RECALL) else 0


def edited(content: bytes) -> tuple[int, bytes]:
    """The msgid that is edited by this and what it shall say; (0, b"") if it is something else."""
    if not content.startswith(_EDIT):
        return 0, b""
    msgid, _, words = content.removeprefix(_EDIT).partition(b" ")
    return int(msgid), words


class Seen(NamedTuple):
    """A message as a history tells of it."""

    msgid: int
    seq: int
    conversation: str
    sender: str
    content: bytes


def seen(message: pb.Message) -> Seen:
    """A message that was pushed or pulled."""
    sender = getattr(message, "from")
    conversation = group_conversation(message.to) if message.chat == pb.GROUP_CHAT else single_conversation(sender, message.to)
    return Seen(message.msgid, message.seq, conversation, sender, b"" if message.removed else _content(message))


def _content(message: pb.Message) -> bytes:
    match message.type:
        case pb.TXT:
            return pb.MessageTxt.FromString(message.payload).txt.encode()
        case pb.RECALL:
            return recall_of(pb.Change.FromString(message.payload).msgid)
        case pb.EDIT:
            change = pb.Change.FromString(message.payload)
            return edit_of(change.msgid, pb.MessageTxt.FromString(change.payload).txt.encode())
        case _:
            return message.payload


def newest_edit(message: pb.Message) -> bytes:
    """What a message says since it was edited; empty if it was not."""
    return pb.MessageTxt.FromString(message.edited.payload).txt.encode() if message.HasField("edited") else b""
