"""Faults to plant into a good history, each with the promise that it breaks."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

from rockdove.wire import im_pb2 as pb
from tests.history.checker import REPUSH_MS
from tests.history.events import Acked, Event, Invoked, Killed, LoggedIn, Pinged, Ponged, Pulled, Received, Refused, Sent
from tests.history.evidence import Device
from tests.history.promises import Promise

History = list[Event]
NEW_CONNECTION = 55_555
NEW_MSGID = 99_999


def devices(history: History) -> dict[int, Device]:
    """Whose each connection is."""
    return {event.connection: (event.user, event.device) for event in history if isinstance(event, LoggedIn)}


def deliveries(history: History) -> list[Received]:
    """All pushes."""
    return [event for event in history if isinstance(event, Received)]


def without_delivery(history: History, lost: Received) -> History:
    """As if that message had never reached that device."""
    whose = devices(history)
    device = whose[lost.connection]
    return [e for e in history if not (isinstance(e, Received) and e.msgid == lost.msgid and whose[e.connection] == device)]


def _conversation(history: History, sent: Sent) -> str:
    return next(e.conversation for e in history if isinstance(e, Invoked) and e.seqid == sent.seqid)


def _answers(history: History, conversation: str) -> list[Sent]:
    """The first answers to all sends, in the order of their places."""
    sends = {e.seqid: e for e in reversed(history) if isinstance(e, Sent) and _conversation(history, e) == conversation}
    return sorted(sends.values(), key=lambda sent: sent.seq)


def _neighbours(history: History) -> tuple[Received, Received]:
    """Two consecutive pushes of one conversation on one connection."""
    pairs = combinations(deliveries(history), 2)
    return next((a, b) for a, b in pairs if (a.connection, a.conversation, a.seq) == (b.connection, b.conversation, b.seq - 1))


def _appended(history: History, **change: Any) -> Received:
    """A push like the last one, of one more message in its conversation."""
    last = deliveries(history)[-1]
    seq = _answers(history, last.conversation)[-1].seq + 1
    return replace(last, **{"msgid": NEW_MSGID, "seq": seq} | change)


def _with_places_of(history: History, one: Sent, other: Sent) -> History:
    """Both messages exchange their places, everywhere."""
    seqs = {one.msgid: other.seq, other.msgid: one.seq}
    return [replace(e, seq=seqs.get(e.msgid, e.seq)) if isinstance(e, Received | Sent) else e for e in history]


def _with_first_delivery(history: History, **change: Any) -> History:
    first = deliveries(history)[0]
    return [replace(event, **change) if event is first else event for event in history]


# ---------------------------------------------------------------- what is stored


def acknowledged_before_stored(history: History) -> History:
    last = _answers(history, "alice+bob")[-1]
    return [event for event in history if not (isinstance(event, Received) and event.msgid == last.msgid)]


def stored_twice(history: History) -> History:
    return [*history, _appended(history)]


def out_of_nowhere(history: History) -> History:
    return [*history, _appended(history, content=b"nobody wrote this")]


def refused_and_yet_stored(history: History) -> History:
    pushed = _appended(history, content=b"refused")
    sender = next(e for e in history if isinstance(e, LoggedIn) and e.user == pushed.sender)
    invoked = Invoked(sender.connection, 7777, pushed.conversation, b"refused")
    return [*history, invoked, Refused(sender.connection, 7777, pb.PERMISSION_DENIED), pushed]


def content_altered(history: History) -> History:
    return _with_first_delivery(history, content=b"something else")


def sender_forged(history: History) -> History:
    return _with_first_delivery(history, sender="mallory")


def pulled_content_altered(history: History) -> History:
    first = deliveries(history)[0]
    return [*history, Pulled(first.connection, first.msgid, first.seq, first.conversation, first.sender, b"something else")]


def shown_to_a_stranger(history: History) -> History:
    stranger = next(e for e in history if isinstance(e, LoggedIn) and e.user == "carol")
    secret = next(e for e in deliveries(history) if e.conversation == "alice+bob")
    return [*history, replace(secret, connection=stranger.connection)]


def a_seq_left_out(history: History) -> History:
    return [replace(e, seq=e.seq + 1) if isinstance(e, Received | Sent) and e.seq > 1 else e for e in history]


def a_seq_given_twice(history: History) -> History:
    first, second = _answers(history, "alice+bob")[:2]
    return [replace(e, seq=first.seq) if isinstance(e, Received | Sent) and e.msgid == second.msgid else e for e in history]


def a_msgid_given_twice(history: History) -> History:
    first, second = _answers(history, "alice+bob")[:2]
    return [replace(e, msgid=first.msgid) if isinstance(e, Received | Sent) and e.msgid == second.msgid else e for e in history]


def msgids_that_shrink(history: History) -> History:
    return [replace(e, msgid=100_000 - e.msgid) if isinstance(e, Received | Sent | Acked) else e for e in history]


def places_swapped(history: History) -> History:
    """Of two messages of one connection."""
    pairs = combinations(_answers(history, "alice+bob"), 2)
    return _with_places_of(history, *next((a, b) for a, b in pairs if a.connection == b.connection))


def a_later_message_before_an_acknowledged_one(history: History) -> History:
    """Of another sender, whose own order is not hurt."""
    pairs = combinations(_answers(history, "alice+bob"), 2)
    whose = devices(history)
    return _with_places_of(history, *next((a, b) for a, b in pairs if whose[a.connection] != whose[b.connection]))


def a_retry_with_another_answer(history: History) -> History:
    answers = [event for event in history if isinstance(event, Sent)]
    retry = next(later for earlier, later in combinations(answers, 2) if earlier.seqid == later.seqid)
    return [replace(event, msgid=NEW_MSGID) if event is retry else event for event in history]


# ---------------------------------------------------------------- what is delivered


def a_delivery_is_missing(history: History) -> History:
    return without_delivery(history, deliveries(history)[-1])


def pushes_swapped(history: History) -> History:
    one, two = _neighbours(history)
    return [two if event is one else one if event is two else event for event in history]


def a_push_overtaken(history: History) -> History:
    """It comes on the next connection, but by then a later one was pushed."""
    late, _ = _neighbours(history)
    rest = without_delivery(history, late)
    return [*rest, LoggedIn(NEW_CONNECTION, *devices(history)[late.connection]), replace(late, connection=NEW_CONNECTION)]


def a_push_repeated_too_soon(history: History) -> History:
    last = deliveries(history)[-1]
    return [*history, replace(last, at_ms=last.at_ms + REPUSH_MS - 1)]


def own_message_pushed_back(history: History) -> History:
    sent = _answers(history, "alice+bob")[-1]
    invoked = next(e for e in history if isinstance(e, Invoked) and e.seqid == sent.seqid)
    user, _ = devices(history)[sent.connection]
    return [*history, Received(sent.connection, sent.msgid, sent.seq, invoked.conversation, user, invoked.content)]


def acknowledged_and_pushed_again(history: History) -> History:
    """On the next connection, although a retry sent after the ack was answered."""
    last = deliveries(history)[-1]
    whose = devices(history)
    sent = next(event for event in history if isinstance(event, Sent) and whose[event.connection] == whose[last.connection])
    retry = next(event for event in history if isinstance(event, Invoked) and event.seqid == sent.seqid)
    answered = [replace(event, connection=last.connection) for event in (retry, sent)]
    return [*history, Acked(last.connection, last.msgid), *answered, *_once_more(history, last)]


def acknowledged_and_pushed_again_after_a_kill(history: History) -> History:
    """Although a heartbeat sent after the ack was answered."""
    last = deliveries(history)[-1]
    heartbeat = [Pinged(last.connection), Killed(), Ponged(last.connection)]
    return [*history, Acked(last.connection, last.msgid), *heartbeat, *_once_more(history, last)]


def _once_more(history: History, pushed: Received) -> History:
    login = LoggedIn(NEW_CONNECTION, *devices(history)[pushed.connection])
    return [login, replace(pushed, connection=NEW_CONNECTION)]


FAULTS: dict[Callable[[History], History], Promise] = {
    acknowledged_before_stored: Promise.LOST,
    stored_twice: Promise.DOUBLED,
    out_of_nowhere: Promise.INVENTED,
    refused_and_yet_stored: Promise.REFUSED,
    content_altered: Promise.ALTERED,
    sender_forged: Promise.ALTERED,
    pulled_content_altered: Promise.ALTERED,
    shown_to_a_stranger: Promise.LEAKED,
    a_seq_left_out: Promise.GAP,
    a_seq_given_twice: Promise.SEQ_REUSED,
    a_msgid_given_twice: Promise.MSGID_REUSED,
    msgids_that_shrink: Promise.MSGID_ORDER,
    places_swapped: Promise.SENDER_ORDER,
    a_later_message_before_an_acknowledged_one: Promise.PLACE_ORDER,
    a_retry_with_another_answer: Promise.RETRY,
    a_delivery_is_missing: Promise.LOST,
    pushes_swapped: Promise.REORDERED,
    a_push_overtaken: Promise.REORDERED,
    a_push_repeated_too_soon: Promise.REORDERED,
    own_message_pushed_back: Promise.ECHOED,
    acknowledged_and_pushed_again: Promise.PUSHED_AGAIN,
    acknowledged_and_pushed_again_after_a_kill: Promise.PUSHED_AGAIN,
}
