"""Acks and plain texts of a live session: taken from what was read, in numbers (protocol §4, §5)."""

from typing import TYPE_CHECKING, Final, NamedTuple

from rockdove.core.ports import Permit
from rockdove.core.records import Draft
from rockdove.wire.plain import ACK_BYTES, ACK_LENGTH, SCANNERS, receiver_bytes, scan_acks

if TYPE_CHECKING:
    from rockdove.core.session import Session
    from rockdove.wire.framing import FrameDecoder

FRAME_MARGIN: Final = 640  # bytes that the server may put around a sender's Message, in a push or on a page


class Route(NamedTuple):
    """Where a session has written to: its next texts to the same receiver need not look for it."""

    conversation: int
    permit: Permit | None  # that each message must ask


def take_plain(session: "Session", decoder: "FrameDecoder", limit: int, now_ms: int) -> int:
    """Take the plain frames that stand first, at most `limit` of them. Returns how many they were.

    A text counts as plain if it goes where the session has a route, and no rate of messages is set.
    """
    data, at = decoder.data, decoder.position
    end, longest = len(data), decoder.limit - FRAME_MARGIN
    left = limit
    drafts: list[Draft] = []
    while left > 0 and at < end:
        size = data[at] + 1
        if size == ACK_LENGTH + 1:
            msgids = scan_acks(data, at, left)
            if not msgids:
                break
            session.outbound.ack(msgids, now_ms)
            at += ACK_BYTES * len(msgids)
            left -= len(msgids)
            continue
        if size > 128 and at + 1 < end:
            size += (data[at + 1] << 7) - 127
        draft = _draft(session, data, at, size) if at + size <= end and size <= longest else None
        if draft is None:
            break
        drafts.append(draft)
        at += size
        left -= 1
    decoder.position = at
    if drafts:
        session.uncommitted += len(drafts)
        session.commit.send_all(drafts)
    return limit - left


def _draft(session: "Session", data: bytes, at: int, size: int) -> Draft | None:
    """The text in the frame of `size` bytes at `at`; None: it is not plain."""
    found = session.texts.scan(data, at, size)
    if found is None:  # or it is to somebody whose name has another length
        session.texts = SCANNERS[receiver_bytes(data, at, size)]
        found = session.texts.scan(data, at, size)
        if found is None:
            return None
    seqid, body, receiver = found
    route = session.routes.get(receiver)
    if route is None or session.rate is not None:
        return None
    return session.draft(route.conversation, seqid, body, route.permit)
