"""Bytes in any pieces to whole frames (protocol §2)."""

from collections.abc import Iterator

from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import ProtocolError, broken
from rockdove.wire.limits import FRAME_BYTES, LENGTH_PREFIX_BYTES


class FrameDecoder:
    """Cuts a byte stream into frames, without their length prefix.

    `limit` (bytes) may be changed at any time; it holds for the next frame that begins. Feeding costs
    time linear in the bytes, however small the pieces, and holds at most one unfinished frame.
    """

    __slots__ = ("_data", "_need", "_partial", "_position", "limit")

    def __init__(self, limit: int = FRAME_BYTES) -> None:
        self.limit = limit
        self._data = b""
        self._position = 0
        self._partial = bytearray()  # an unfinished frame with its prefix
        self._need = 0  # bytes that `_partial` must have before looking at it again makes sense

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun that is not all here yet."""
        return bool(self._partial)

    @property
    def waiting(self) -> bool:
        """Whether fed bytes have not been looked at yet."""
        return self._position < len(self._data)

    def feed(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        if self._partial:
            self._partial += data
            if len(self._partial) < self._need:
                return
            data = bytes(self._partial)
            self._partial.clear()
        elif self._position < len(self._data):
            data = self._data[self._position :] + data
        self._data = data
        self._position = 0

    def frames(self) -> Iterator[bytes]:
        """Yield whole frames. May be abandoned at any point and called again.

        Raises ProtocolError: FRAME_TOO_LARGE for a length above `limit`, PROTOCOL_ERROR for a length of
        zero or one that is not a varint of at most 5 bytes (protocol §2). Frames before it are yielded first.
        """
        data = self._data
        end = len(data)
        position = self._position
        while position < end:
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
                    return
            if length > self.limit:
                reason = f"the frame is {length} bytes, at most {self.limit} are read"
                raise ProtocolError(pb.FRAME_TOO_LARGE, reason)
            if not length:
                raise broken("a frame of 0 bytes holds no command")
            stop = start + length
            if stop > end:
                self._keep(position, stop - position)
                return
            position = self._position = stop
            yield data[start:stop]
        self._data = b""  # an idle connection keeps nothing
        self._position = 0

    def _keep(self, position: int, need: int) -> None:
        self._partial += self._data[position:]
        self._need = need
        self._data = b""
        self._position = 0

    def _long_prefix(self, position: int) -> tuple[int, int]:
        """The length and where the frame starts; a start of 0 says that more bytes are needed."""
        data = self._data
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
