"""Bytes in any pieces to whole frames (protocol §2)."""

from collections.abc import Iterator
from typing import Final

from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import ProtocolError, broken
from rockdove.wire.limits import FRAME_BYTES, LENGTH_PREFIX_BYTES

_NOTHING: Final = bytearray()  # never changed


class FrameDecoder:
    """Cuts a byte stream into frames, without their length prefix.

    `limit` (bytes) may be changed at any time; it holds for the next frame that begins. Feeding costs
    time linear in the bytes, however small the pieces, and holds at most one unfinished frame.
    """

    __slots__ = ("_need", "_partial", "data", "limit", "position", "unfinished")

    def __init__(self, limit: int = FRAME_BYTES) -> None:
        self.limit = limit
        self.data = b""  # what was fed and, from `position` on, not looked at yet; who takes frames from it moves that on
        self.position = 0
        self._partial = _NOTHING  # an unfinished frame with its prefix
        self.unfinished = False  # whether a frame has begun that is not all here yet
        self._need = 0  # bytes that `_partial` must have before looking at it again makes sense

    @property
    def waiting(self) -> bool:
        """Whether fed bytes have not been looked at yet."""
        return self.position < len(self.data)

    def feed(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        if self.unfinished:
            self._partial += data
            if len(self._partial) < self._need:
                return
            data = bytes(self._partial)
            self._partial = _NOTHING
            self.unfinished = False
        elif self.position < len(self.data):
            data = self.data[self.position :] + data
        self.data = data
        self.position = 0

    def frames(self) -> Iterator[bytes]:
        """Yield whole frames. May be abandoned at any point and called again. Raises what `next_frame` raises."""
        while (frame := self.next_frame()) is not None:
            yield frame

    def next_frame(self) -> bytes | None:
        """The next whole frame; None: more bytes are needed.

        Raises ProtocolError: FRAME_TOO_LARGE for a length above `limit`, PROTOCOL_ERROR for a length of
        zero or one that is not a varint of at most 5 bytes (protocol §2).
        """
        data, position = self.data, self.position
        end = len(data)
        if position == end:
            self.data = b""  # an idle connection keeps nothing
            self.position = 0
            return None
        length = data[position]
        start = position + 1
        if length > 127:
            if start < end and data[start] < 128:
                length += (data[start] << 7) - 128
                start += 1
            else:
                length, start = self._long_prefix(position)
            if start <= position:  # the prefix itself is not all here
                self._keep(position, end - position + 1)
                return None
        if length > self.limit:
            raise ProtocolError(pb.FRAME_TOO_LARGE, f"the frame is {length} bytes, at most {self.limit} are read")
        if not length:
            raise broken("a frame of 0 bytes holds no command")
        stop = start + length
        if stop > end:
            self._keep(position, stop - position)
            return None
        self.position = stop
        return data[start:stop]

    def _keep(self, position: int, need: int) -> None:
        self._partial = bytearray(self.data[position:])
        self.unfinished = True
        self._need = need
        self.data = b""
        self.position = 0

    def _long_prefix(self, position: int) -> tuple[int, int]:
        """The length and where the frame starts; a start of 0 says that more bytes are needed."""
        data = self.data
        value = shift = 0
        for index in range(position, min(position + LENGTH_PREFIX_BYTES, len(data))):
            byte = data[index]
            value |= (byte & 127) << shift
            if byte < 128:
                return value, index + 1
            shift += 7
        if len(data) - position >= LENGTH_PREFIX_BYTES:
            raise broken(f"the length prefix is longer than {LENGTH_PREFIX_BYTES} bytes")
        return 0, 0
