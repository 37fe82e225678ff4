"""Frames to commands and back: protobuf for everything that is read, bytes put together for what is written most often."""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

from google.protobuf.message import DecodeError, Message

from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import broken

ONE_BYTE: Final = 128  # varints below this take one byte
_VARINT: Final = [bytes((n,)) for n in range(128)] + [bytes((n & 127 | 128, n >> 7)) for n in range(128, 1 << 14)]
_FIXED64 = Struct("<Q")
_PLACE = Struct("<BQB")  # Message.msgid, and the key of its seq
_SEQID = Struct("<BQ")  # Request.seqid with its key
_LAST_SEQID = Struct("<BQ")  # ConAck.last_seqid with its key
_SENT = Struct("<6sQ3sQ")  # an answer with a seqid, up to the place
_SENT_HEADS: Final = [  # its pieces, by how long the place and the timestamp are; all lengths are below 128
    (bytes((size + 24, 8, 1, 0x3A, size + 20, 0x19)), bytes((0x22, size + 9, 9))) for size in range(24)
]
HEADS: Final = 4_096  # heads of pushes that are remembered

GROUP_MARK: Final = b"\x20\x01"  # Message.chat: GROUP_CHAT

_COMMANDS: Final = {
    field.number: field.name for field in pb.Command.DESCRIPTOR.fields if field.number > 1
}  # one of them is there
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


def decode(frame: bytes) -> tuple[pb.Command, str]:
    """Parse one frame; the name of its command is "connect", "request", …

    Raises ProtocolError(PROTOCOL_ERROR) unless it is one command of a known version (§2).
    """
    try:
        command = pb.Command.FromString(frame)
    except DecodeError:
        raise broken("the frame does not parse as a Command") from None
    if command.version not in (0, 1):
        raise broken(f"version {command.version} is not spoken here, only 1")
    commands = _commands(frame)
    if len(commands) != 1:
        raise broken("a frame holds exactly one command")
    return command, _COMMANDS[commands[0]]


def _commands(frame: bytes) -> list[int]:
    """The field numbers of the commands in `frame`, which has been parsed before. protobuf would merge them."""
    commands: list[int] = []
    at = depth = 0
    while at < len(frame):
        key = frame[at]
        if key < ONE_BYTE:
            at += 1
        else:
            key, at = _read_varint(frame, at)
        wire_type = key & 7
        if wire_type == _LENGTH_TYPE:
            length, at = _read_varint(frame, at)
            at += length
            if not depth and key >> 3 in _COMMANDS:
                commands.append(key >> 3)
        elif wire_type == _VARINT_TYPE:
            _, at = _read_varint(frame, at)
        elif wire_type == _GROUP_TYPE:
            depth += 1
        elif wire_type == _END_GROUP_TYPE:
            depth -= 1
        else:
            at += 8 if wire_type == _I64_TYPE else 4
    return commands


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
    if not seq:  # transient
        return b"%b%bA%bP%b" % (body, sender, _FIXED64.pack(msgid), timestamp)
    place = _VARINT[seq] if seq < 16384 else varint(seq)
    return b"".join((body, sender, _PLACE.pack(0x41, msgid, 0x48), place, b"P", timestamp))


def with_edit(record: bytes, change: pb.Change) -> bytes:
    """A stored Message that carries its newest edit beside its own content."""
    message = pb.Message.FromString(record)
    message.edited.CopyFrom(change)
    return message.SerializeToString()


def push(record: bytes, msgid: int) -> bytes:
    """The frame that carries a stored Message to a device: Request{MESSAGE, record, seqid: msgid} (§5).

    A msgid of 0 makes the push of a transient message, which wants no ack.
    """
    if not msgid:
        return event(pb.MESSAGE, record)
    return b"".join((_push_head(len(record)), record, _SEQID.pack(0x21, msgid)))


def pushes(records: Sequence[bytes], msgids: Sequence[int]) -> bytes:
    """The frames that carry stored Messages to a device, as `push` makes them, together."""
    pieces: list[bytes] = []
    for record, msgid in zip(records, msgids, strict=True):
        pieces += (_push_head(len(record)), record, _SEQID.pack(0x21, msgid))
    return b"".join(pieces)


@lru_cache(HEADS)
def _push_head(size: int) -> bytes:
    """What stands before a record of `size` bytes in the frame that pushes it."""
    record = b"\x12" + varint(size)
    request = b"\x08\x01\x32" + varint(len(record) + size + _SEQID.size) + record
    return varint(len(request) + size + _SEQID.size) + request


def sent(seqid: int, msgid: int, seq: int, timestamp: bytes) -> bytes:
    """The frame that answers a stored message: Response{OK, seqid, Sent{msgid, seq, timestamp}} (§4).

    `timestamp` is the varint of the ms since the epoch.
    """
    tail = b"\x10%b\x18%b" % (_VARINT[seq] if seq < 16384 else varint(seq), timestamp) if seq else b"\x18" + timestamp
    if not seqid:
        return response(0, b"\x09" + _FIXED64.pack(msgid) + tail)
    head, payload = _SENT_HEADS[len(tail)]
    return _SENT.pack(head, seqid, payload, msgid) + tail


def response(seqid: int, payload: bytes = b"", code: int = pb.OK, reason: str = "") -> bytes:
    """The frame that answers any request."""
    return frame(pb.Command(version=1, response=pb.Response(code=code, reason=reason, seqid=seqid, payload=payload)))


def welcome(rules: bytes, session: str, server_time: int, resume_token: str, resume_expires_at: int, last_seqid: int) -> bytes:
    """The frame that answers a login: `rules` is a ConAck with the fields that are the same for all (§3). Times are in ms."""
    fields = (
        _text_field(b"\x22", session),
        b"\x28" + varint(server_time),
        _text_field(b"\x4a", resume_token),
        b"\x50" + varint(resume_expires_at),
        _LAST_SEQID.pack(0x61, last_seqid),
        rules,
    )
    ack = b"".join(fields)
    command = b"\x08\x01\x22" + varint(len(ack)) + ack
    return varint(len(command)) + command


def _text_field(key: bytes, text: str) -> bytes:
    data = text.encode()
    return key + varint(len(data)) + data


def pong(server_time: int) -> bytes:
    """The frame that answers a heartbeat; `server_time` is in ms since the epoch (§5 Heartbeat)."""
    time = varint(server_time)
    return b"%c\x08\x01\x4a%c\x08%b" % (len(time) + 5, len(time) + 1, time)


def event(kind: pb.RequestType, payload: bytes) -> bytes:
    """The frame of a push that wants no ack: a receipt, presence, a contact's news (§6)."""
    return frame(pb.Command(version=1, request=pb.Request(type=kind, payload=payload)))


def delivered(user: str, seq: int) -> bytes:
    """The frame of a DELIVERED receipt: the devices of `user`, who is also the peer, have the conversation up to `seq` (§6)."""
    name = user.encode()
    named = varint(len(name)) + name
    receipt = b"\x08\x01\x1a%b\x20%b\x2a%b" % (named, varint(seq), named)  # kind, peer, seq, user
    request = b"\x08\x04\x12" + varint(len(receipt)) + receipt  # RECEIPT, and the payload
    command = b"\x08\x01\x32" + varint(len(request)) + request
    return varint(len(command)) + command


def disconnect(code: int, reason: str) -> bytes:
    """The last frame of a connection."""
    return frame(pb.Command(version=1, disconnect=pb.Disconnect(code=code, reason=reason)))
