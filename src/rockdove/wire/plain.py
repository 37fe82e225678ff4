"""The plain forms of the two hottest frames, an ack and a text, read without parsing.

A plain form is exactly what protobuf would write. Whatever is not, is left to protobuf (`codec.decode`); a property test holds
the two equal. Frames are looked at where they lie in what was read, with their length prefix.
"""

from struct import Struct
from typing import Final

from rockdove.wire.codec import GROUP_MARK, varint
from rockdove.wire.limits import NAME_LENGTH, TEXT_BYTES

_ACK: Final = b"\x0d\x08\x01\x3a\x09\x19"  # the length, and Command{version: 1, response{seqid}} up to the id
_ACKS: Final = Struct("<6sQ")
ACK_BYTES: Final = _ACKS.size
ACK_LENGTH: Final = _ACK[0]

_REQUEST: Final = b"\x08\x01\x32"  # Command{version: 1, request}, up to its length
_TO: Final = 0x1A  # the key of Message.to
_SEQID: Final = b"\x21"  # the key of Request.seqid
SEQID_BYTES: Final = 8
LONGEST_RECEIVER: Final = 2 + NAME_LENGTH + len(GROUP_MARK) + len(_SEQID)
_HEAD_BYTES: Final = 24  # more than stand before any text
_FORMS: Final = 1_024  # that a scanner remembers


def scan_acks(data: bytes, at: int, limit: int) -> list[int]:
    """The msgids of the plain acks that stand in `data` from `at` on, at most `limit` of them."""
    msgids: list[int] = []
    most = min(limit, (len(data) - at) // ACK_BYTES)
    for head, msgid in _ACKS.iter_unpack(data[at : at + most * ACK_BYTES]):
        if head != _ACK or not msgid:  # 0 is the oldest one, whichever that is
            break
        msgids.append(msgid)
    return msgids


def receiver(name: bytes, *, group: bool) -> bytes:
    """What stands between the text and the seqid in a plain text to this user or group."""
    return b"\x1a" + varint(len(name)) + name + (GROUP_MARK if group else b"") + _SEQID


def receiver_bytes(data: bytes, at: int) -> int:
    """How long `receiver` is in the frame at `at`, if it is all here and a plain text; no name holds a byte like its key."""
    size = data[at] + 1
    if size > 128 and at + 1 < len(data):
        size += (data[at + 1] << 7) - 127
    if at + size > len(data):
        return 0
    end = at + size - SEQID_BYTES
    first = max(at, end - LONGEST_RECEIVER)
    place = data.rfind(_TO, first, end) if end > at else -1
    if place < 0:
        return 0
    length = end - place
    if data[place + 1] not in (length - 3, length - 3 - len(GROUP_MARK)) and place > first:
        length += 1  # it was the name's length, and the key stands before it
    return length


class _Form:
    """What all plain texts have in common whose frames and receivers are of one length."""

    __slots__ = ("head", "message", "unpack_from")

    def __init__(self, head: bytes, text: int, receiver: int, message: int) -> None:
        self.head = head  # all that stands before the text
        self.unpack_from = Struct(f"<{len(head)}s{text}x{receiver}sQ").unpack_from
        self.message = message  # where it begins


class TextScanner:
    """Reads plain texts to receivers of one length: then the length of the frame says what the others in it are."""

    __slots__ = ("_forms", "_receiver")

    def __init__(self, receiver: int) -> None:
        """`receiver` is the length of what `receiver` returns."""
        self._receiver = receiver
        self._forms: dict[int, _Form | None] = {}  # by size of the frame, with its prefix

    def scan(self, data: bytes, at: int, longest: int) -> tuple[int, bytes, bytes, int] | None:
        """(seqid, Message bytes, receiver, where it ends), if the frame at `at` sends a legal text and says nothing else.

        Only where `receiver` is what the function of that name returns for a legal name. None, too, if the frame has, with
        its prefix, more than `longest` bytes, or is not all here.
        """
        size = data[at] + 1
        if size > 128 and at + 1 < len(data):
            size += (data[at + 1] << 7) - 127  # where the prefix is longer, the head will not be that of this size
        stop = at + size
        form = self._forms.get(size) or self._learn(size)
        if form is None or stop > len(data) or size > longest:
            return None
        head, receiver, seqid = form.unpack_from(data, at)
        if head != form.head or not seqid:
            return None
        message = data[at + form.message : stop - SEQID_BYTES - 1]
        if not message.isascii() and not _is_utf8(data[at + len(head) : stop - SEQID_BYTES - self._receiver]):
            return None
        return seqid, message, receiver, stop

    def scan_on(
        self, data: bytes, at: int, limit: int, longest: int, receiver: bytes, seqids: list[int], bodies: list[bytes]
    ) -> int:
        """Add the seqids and Message bytes of texts as long as they go to that receiver, at most `limit`.

        Returns where they end.
        """
        forms, end = self._forms, len(data)
        for _ in range(limit):
            if at >= end:
                break
            size = data[at] + 1
            if size > 128 and at + 1 < end:
                size += (data[at + 1] << 7) - 127
            stop = at + size
            form = forms.get(size) or self._learn(size)
            if form is None or stop > end or size > longest:
                break
            head, to, seqid = form.unpack_from(data, at)
            if head != form.head or to != receiver or not seqid:
                break
            message = data[at + form.message : stop - SEQID_BYTES - 1]
            if not message.isascii() and not _is_utf8(data[at + len(head) : stop - SEQID_BYTES - self._receiver]):
                break
            seqids.append(seqid)
            bodies.append(message)
            at = stop
        return at

    def _learn(self, size: int) -> _Form | None:
        if size not in self._forms:
            if len(self._forms) >= _FORMS:
                self._forms.clear()
            self._forms[size] = _form(size, self._receiver)
        return self._forms[size]


SCANNERS: Final = [TextScanner(length) for length in range(LONGEST_RECEIVER + 1)]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _form(size: int, receiver: int) -> _Form | None:
    """None: no plain text is of that size."""
    most = size - receiver - SEQID_BYTES
    for text in range(max(most - _HEAD_BYTES, 1), min(most, TEXT_BYTES) + 1):
        words = b"\x0a" + varint(text)  # MessageTxt.txt
        content = b"\x12" + varint(len(words) + text) + words  # Message.payload
        payload = b"\x12" + varint(len(content) + text + receiver - 1)  # Request.payload
        request = _REQUEST + varint(len(payload) + len(content) + text + receiver + SEQID_BYTES)
        rest = len(payload) + len(content) + text + receiver + SEQID_BYTES
        head = varint(len(request) + rest) + request + payload + content
        if len(head) + text + receiver + SEQID_BYTES == size:
            return _Form(head, text, receiver, len(head) - len(content))
    return None
