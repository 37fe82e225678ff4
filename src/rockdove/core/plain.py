"""Acks and plain texts of a live session: taken from what was read, in numbers (protocol §4, §5)."""

from typing import TYPE_CHECKING, Final, NamedTuple

from rockdove.core.ports import Permit
from rockdove.core.records import DraftRun
from rockdove.wire.plain import ACK_BYTES, ACK_LENGTH, SCANNERS, receiver_bytes, scan_acks

if TYPE_CHECKING:
    from rockdove.core.session import Session
    from rockdove.wire.framing import FrameDecoder

RUN: Final = 8  # texts in a row that are worth one: fewer cost no less than they would alone
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
    while left > 0 and at < end:
        if data[at] == ACK_LENGTH:
            msgids = scan_acks(data, at, left)
            count = len(msgids)
            at += ACK_BYTES * count
            session.outbound.ack(msgids, now_ms)
        else:
            count, at = _take_texts(session, data, at, left, longest)
        if not count:
            break
        left -= count
    decoder.position = at
    return limit - left


def _take_texts(session: "Session", data: bytes, at: int, limit: int, longest: int) -> tuple[int, int]:
    """Take the text at `at`, and those that follow it to the same receiver. Returns how many they were, and where they end.

    None of more than `longest` bytes is taken.
    """
    first = session.texts.scan(data, at, longest)
    if first is None:  # or it is to somebody whose name has another length
        session.texts = SCANNERS[receiver_bytes(data, at)]
        first = session.texts.scan(data, at, longest)
        if first is None:
            return 0, at
    seqid, body, receiver, at_next = first
    route = session.routes.get(receiver)
    if route is None or session.rate is not None:
        return 0, at
    commit, conversation, permit = session.commit, route.conversation, route.permit
    first_draft = session.draft(conversation, seqid, body, permit)
    session.uncommitted += 1
    if limit == 1 or at_next == len(data):
        commit.send(first_draft)
        return 1, at_next
    seqids, bodies = [seqid], [body]
    at_next = session.texts.scan_on(data, at_next, limit - 1, longest, receiver, seqids, bodies)
    if len(seqids) >= RUN and session.uncommitted == 1:
        commit.send_run(DraftRun(first_draft, seqids, bodies))
    else:
        commit.send(first_draft)
        for later, text in zip(seqids[1:], bodies[1:], strict=True):
            commit.send(session.draft(conversation, later, text, permit))
    session.uncommitted += len(seqids) - 1
    return len(seqids), at_next
