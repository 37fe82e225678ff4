"""What is raised when the bytes themselves are wrong."""

from rockdove.wire import im_pb2 as pb


class ProtocolError(Exception):
    """A broken or out-of-turn frame: the connection ends, nobody else notices (protocol §2).

    `code` is a DisconnectCode, `reason` one English sentence for people.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def broken(reason: str) -> ProtocolError:
    """The usual case: PROTOCOL_ERROR."""
    return ProtocolError(pb.PROTOCOL_ERROR, reason)
