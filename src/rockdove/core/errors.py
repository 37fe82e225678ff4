"""What can go wrong with a request, as opposed to the bytes that carry it."""

from typing import Final

from rockdove.wire import im_pb2 as pb

REUSED_SEQID: Final = "this seqid was used for another message: give this one a seqid of its own"


NOT_STORED: Final = "the server cannot store this now: send it again with the same seqid"
REPLACED: Final = "this device logged in on another connection"
KICKED: Final = "this device was kicked by one of the same user: log in with the password"
OUR_FAULT: Final = "the server made a mistake with this request: it was logged"


class Refusal(Exception):
    """A request that is not carried out: nothing was changed, the connection lives (protocol §8).

    `code` is a Code, `reason` one English sentence that says what to do.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StoreFailed(Exception):
    """The store can no longer be trusted (a failed fsync, a broken disk): acknowledge nothing more, stop the node."""


class StoreUnavailable(Exception):
    """Nothing of this batch was stored, and a later one may be (the disk is full, the database is away)."""


def invalid(reason: str) -> Refusal:
    """INVALID_ARGUMENT: the request can never succeed as it is."""
    return Refusal(pb.INVALID_ARGUMENT, reason)


def not_found(reason: str) -> Refusal:
    """NOT_FOUND: no such user, group, message."""
    return Refusal(pb.NOT_FOUND, reason)


def denied(reason: str) -> Refusal:
    """PERMISSION_DENIED."""
    return Refusal(pb.PERMISSION_DENIED, reason)
