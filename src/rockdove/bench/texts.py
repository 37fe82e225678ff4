"""The texts that are sent: each says which it is and when it was due, so that whoever gets it can check and time it."""

from binascii import hexlify, unhexlify
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Final, NamedTuple

from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

TAG_BYTES: Final = 8
_MARK: Final = Struct(">IIQ")  # flow, number in it, when it was due; in hexadecimal, as a text has to be one
_MARK_BYTES: Final = _MARK.size * 2
_SEQID: Final = Struct("<Q")
SMALLEST: Final = TAG_BYTES + _MARK_BYTES
_FILLER: Final = b"The quick brown fox jumps over the lazy dog. "


class Mark(NamedTuple):
    """What a text of ours says about itself."""

    flow: int
    number: int
    due_ns: int


class Template:
    """The messages of one sender to one receiver, of which only the mark and the seqid differ."""

    __slots__ = ("_head", "_middle", "_tag", "tail")

    def __init__(self, tag: bytes, sender: str, to: str, chat: pb.Chat, size: int) -> None:
        """`tag` is of TAG_BYTES characters; a text has `size` bytes, at least SMALLEST."""
        filler = (_FILLER * (size // len(_FILLER) + 1))[: size - SMALLEST]
        text = tag + b"0" * _MARK_BYTES + filler
        body = pb.Message(payload=pb.MessageTxt(txt=text.decode()).SerializeToString(), to=to, chat=chat).SerializeToString()
        frame = codec.frame(pb.Command(version=1, request=pb.Request(payload=body, seqid=1)))
        mark = frame.index(tag) + TAG_BYTES
        self._head = frame[:mark]
        self._middle = frame[mark + _MARK_BYTES : -_SEQID.size]
        # What follows the mark in each push: the rest of the sender's own bytes, his name, and the key of the msgid.
        self.tail = body[body.index(tag) + SMALLEST :] + codec.sender_field(sender) + b"\x41"

    def frame(self, mark: Mark, seqid: int) -> bytes:
        """The request to send one."""
        return b"%b%b%b%b" % (self._head, hexlify(_MARK.pack(*mark)), self._middle, _SEQID.pack(seqid))


def read_mark(frame: bytes, tag: bytes) -> tuple[Mark, int] | None:
    """What the text in a pushed frame says, and where it goes on behind that; None if it is no text with this tag."""
    at = frame.find(tag)
    if at < 0:
        return None
    at += TAG_BYTES
    try:
        return Mark._make(_MARK.unpack(unhexlify(frame[at : at + _MARK_BYTES]))), at + _MARK_BYTES
    except (ValueError, StructError):
        return None


def read_seq(frame: bytes, at: int, tail: bytes) -> int:
    """The seq of a push whose mark ends at `at`; 0 unless everything behind it is as it has to be."""
    msgid = at + len(tail)
    if not frame.startswith(tail, at) or frame[msgid : msgid + 8] != frame[-8:] or frame[msgid + 8 : msgid + 9] != b"\x48":
        return 0
    return _varint(frame, msgid + 9)


def read_sent(frame: bytes, seqid: bytes) -> int:
    """The seq that an answer to the message with this seqid (8 bytes) tells; 0 when it is no such answer."""
    if (
        frame[5:13] != seqid
        or frame[4] != 0x19
        or frame[13:14] != b"\x22"
        or frame[15:16] != b"\x09"
        or frame[24:25] != b"\x10"
    ):
        return 0
    return _varint(frame, 25)


def _varint(frame: bytes, at: int) -> int:
    value = shift = 0
    while True:
        byte = frame[at]
        value |= (byte & 127) << shift
        if byte < codec.ONE_BYTE:
            return value
        shift += 7
        at += 1
