"""Frames to commands and back: protobuf for everything, a scanner for the two hottest shapes.

The scanner accepts a shape only where its bytes are exactly what protobuf would write, and says None to
everything else; a property test holds the two equal.
"""

from struct import Struct
from typing import Final

from google.protobuf.message import DecodeError, Message

from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import broken
from rockdove.wire.limits import TEXT_BYTES

ONE_BYTE: Final = 128  # varints below this take one byte
_VARINT: Final = [bytes((n,)) for n in range(128)] + [bytes((n & 127 | 128, n >> 7)) for n in range(128, 1 << 14)]
_FIXED64 = Struct("<Q")
_SENT = Struct("<6BQ3BQ")  # a whole answer with a seqid, up to the place; all lengths in it are below 128

GROUP_MARK: Final = b"\x20\x01"  # Message.chat: GROUP_CHAT

_ACK = b"\x08\x01\x3a\x09\x19"  # Command{version: 1, response{seqid}}, up to the id
_ACK_BYTES: Final = len(_ACK) + 8
_REQUEST = b"\x08\x01\x32"  # Command{version: 1, request}, up to its length

_COMMANDS: Final = frozenset(range(3, 10))  # field numbers of which exactly one must be there
_VARINT_TYPE, _I64_TYPE, _LENGTH_TYPE, _GROUP_TYPE, _END_GROUP_TYPE, _I32_TYPE = range(6)


def varint(value: int) -> bytes:
    """`value` (at least 0) as a protobuf varint."""
    if value < len(_VARINT):
        return _VARINT[value]
    pieces = bytearray()
    while value > 127:
        pieces.append(value & 127 | 128)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)


# ---------------------------------------------------------------- reading


def scan_ack(frame: bytes) -> int | None:
    """The msgid that `frame` acknowledges, if it is the plain form of an ack; else None."""
    if len(frame) == _ACK_BYTES and frame.startswith(_ACK):
        return int.from_bytes(frame[5:], "little")
    return None


def scan_send(frame: bytes) -> tuple[int, bytes, bytes] | None:  # noqa: C901, PLR0912  # every call would cost
    """(seqid, Message bytes, receiver) if `frame` sends a legal text to a user or group and says nothing else; else None.

    The receiver is the bytes from the name in `to` on; the name is not checked beyond being there. A group's are
    followed by GROUP_MARK, with which no name ends.
    """
    end = len(frame)
    if end < 24 or not frame.startswith(_REQUEST) or frame[-9] != 0x21:
        return None
    # Command.request
    length = frame[3]
    at = 4
    if length > 127:
        high = frame[4]
        if not 0 < high < 128:
            return None
        length += (high << 7) - 128
        at = 5
    if at + length != end or frame[at] != 0x12:
        return None
    # Request.payload, the Message
    length = frame[at + 1]
    at += 2
    if length > 127:
        high = frame[at]
        if not 0 < high < 128:
            return None
        length += (high << 7) - 128
        at += 1
    if at + length != end - 9 or length < 8:
        return None
    body = frame[at : end - 9]
    # Message.payload, the MessageTxt
    if body[0] != 0x12:
        return None
    length = body[1]
    at = 2
    if length > 127:
        high = body[2]
        if not 0 < high < 128:
            return None
        length += (high << 7) - 128
        at = 3
    to = at + length
    size = len(body)
    # Message.to, perhaps chat, and the end
    if to + 3 > size or body[to] != 0x1A or body[to + 1] > 127:
        return None
    name_end = to + 2 + body[to + 1]
    if name_end != size and (name_end + 2 != size or not body.endswith(GROUP_MARK)):
        return None
    # MessageTxt.txt, and the end
    if length < 3 or body[at] != 0x0A:
        return None
    text = body[at + 1]
    at += 2
    if text > 127:
        high = body[at]
        if not 0 < high < 128:
            return None
        text += (high << 7) - 128
        at += 1
    if at + text != to or text > TEXT_BYTES:
        return None
    words = body[at:to]
    if not words.isascii():
        try:
            words.decode()
        except UnicodeDecodeError:
            return None
    return int.from_bytes(frame[end - 8 :], "little"), body, body[to + 2 :]


def decode(frame: bytes) -> pb.Command:
    """Parse one frame. Raises ProtocolError(PROTOCOL_ERROR) unless it is one command of a known version (§2)."""
    try:
        command = pb.Command.FromString(frame)
    except DecodeError:
        raise broken("the frame does not parse as a Command") from None
    if command.version not in (0, 1):
        raise broken(f"version {command.version} is not spoken here, only 1")
    if _commands(frame) != 1:
        raise broken("a frame holds exactly one command")
    return command


def kind(command: pb.Command) -> str:
    """The name of the one command in it: "connect", "request", ..."""
    return next(field.name for field, _ in command.ListFields() if field.number in _COMMANDS)


def _commands(frame: bytes) -> int:
    """How many commands stand in `frame`, which has been parsed before. protobuf would merge them."""
    at = count = depth = 0
    while at < len(frame):
        key, at = _read_varint(frame, at)
        wire_type = key & 7
        if wire_type == _LENGTH_TYPE:
            length, at = _read_varint(frame, at)
            at += length
            count += not depth and key >> 3 in _COMMANDS
        elif wire_type == _VARINT_TYPE:
            _, at = _read_varint(frame, at)
        elif wire_type == _GROUP_TYPE:
            depth += 1
        elif wire_type == _END_GROUP_TYPE:
            depth -= 1
        else:
            at += 8 if wire_type == _I64_TYPE else 4
    return count


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < ONE_BYTE:
            return value, at
        shift += 7


def canonical(message: pb.Message) -> bytes:
    """A sender's Message as the one way to write it, without the fields that only the server fills (§4).

    Two requests are the same content when these bytes are equal. Fields that this version does not
    know are kept, for receivers that do.
    """
    for field in ("from", "msgid", "seq", "timestamp", "removed", "edited"):
        message.ClearField(field)
    return message.SerializeToString(deterministic=True)


def tombstone(record: bytes) -> bytes:
    """What is left of a stored Message when its content is taken away: who wrote to whom, its place, and `removed`."""
    message = pb.Message.FromString(record)
    left = pb.Message(removed=True)
    for field in ("type", "to", "chat", "from", "msgid", "seq", "timestamp"):
        setattr(left, field, getattr(message, field))
    return left.SerializeToString()


# ---------------------------------------------------------------- writing


def frame(command: Message) -> bytes:
    """`command` with its length prefix."""
    data = command.SerializeToString()
    return varint(len(data)) + data


def sender_field(user: str) -> bytes:
    """Message.from, encoded, for `record`."""
    name = user.encode()
    return b"\x3a" + varint(len(name)) + name


def record(body: bytes, sender: bytes, msgid: int, seq: int, timestamp: bytes) -> bytes:
    """The stored Message: the sender's own bytes, then what the server fills in (§4, §5).

    `sender` comes from `sender_field`, `timestamp` is the varint of the ms since the epoch.
    """
    place = _VARINT[seq] if seq < 16384 else varint(seq)
    if not seq:  # transient
        return b"%b%bA%bP%b" % (body, sender, _FIXED64.pack(msgid), timestamp)
    return b"%b%bA%bH%bP%b" % (body, sender, _FIXED64.pack(msgid), place, timestamp)


def with_edit(record: bytes, change: pb.Change) -> bytes:
    """A stored Message that carries its newest edit beside its own content."""
    message = pb.Message.FromString(record)
    message.edited.CopyFrom(change)
    return message.SerializeToString()


def push(record: bytes, msgid: int) -> bytes:
    """The frame that carries a stored Message to a device: Request{MESSAGE, record, seqid: msgid} (§5).

    A msgid of 0 makes the push of a transient message, which wants no ack.
    """
    size = len(record)
    length = _VARINT[size] if size < 16384 else varint(size)
    request = size + len(length) + (10 if msgid else 1)
    head = _VARINT[request] if request < 16384 else varint(request)
    total = varint(request + len(head) + 3)
    if msgid:
        return b"%b\x08\x01\x32%b\x12%b%b\x21%b" % (total, head, length, record, _FIXED64.pack(msgid))
    return b"%b\x08\x01\x32%b\x12%b%b" % (total, head, length, record)


def sent(seqid: int, msgid: int, seq: int, timestamp: bytes) -> bytes:
    """The frame that answers a stored message: Response{OK, seqid, Sent{msgid, seq, timestamp}} (§4).

    `timestamp` is the varint of the ms since the epoch.
    """
    place = b"\x10" + varint(seq) if seq else b""
    tail = b"%b\x18%b" % (place, timestamp)
    if not seqid:
        return response(0, b"\x09" + _FIXED64.pack(msgid) + tail)
    size = len(tail)
    return _SENT.pack(size + 24, 8, 1, 0x3A, size + 20, 0x19, seqid, 0x22, size + 9, 0x09, msgid) + tail


def response(seqid: int, payload: bytes = b"", code: int = pb.OK, reason: str = "") -> bytes:
    """The frame that answers any request."""
    return frame(pb.Command(version=1, response=pb.Response(code=code, reason=reason, seqid=seqid, payload=payload)))


def event(kind: pb.RequestType, payload: bytes) -> bytes:
    """The frame of a push that wants no ack: a receipt, presence, a contact's news (§6)."""
    return frame(pb.Command(version=1, request=pb.Request(type=kind, payload=payload)))


def disconnect(code: int, reason: str) -> bytes:
    """The last frame of a connection."""
    return frame(pb.Command(version=1, disconnect=pb.Disconnect(code=code, reason=reason)))
