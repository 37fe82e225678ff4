"""The promises of protocol.md, checked against a history. Knows what clients saw, nothing of the server's code.

The history must end with a drain: every device online long enough to get what it is owed, and every send
of unknown outcome retried until it was answered.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from rockdove.wire import im_pb2 as pb
from tests.history.acks import settled_acks
from tests.history.changing_rules import CHANGING_RULES
from tests.history.content import is_group
from tests.history.events import Acked, Event, Received
from tests.history.evidence import Device, Evidence, Place, Send
from tests.history.group_rules import GROUP_RULES
from tests.history.promises import Promise, Violation

REPUSH_MS = 30_000  # protocol §5 Ack


def check(history: Sequence[Event], members: Mapping[str, Collection[str]]) -> list[Violation]:
    """Every promise that the history breaks. `members` are the users of each single conversation."""
    evidence = Evidence(history, members)
    return [violation for rule in RULES for violation in rule(evidence)]


# ---------------------------------------------------------------- what is stored (protocol §1, §4)


def one_log_for_everyone(evidence: Evidence) -> Iterator[Violation]:
    """Everybody was told the same about a place, and each msgid has one place."""
    places: dict[int, Place] = {}
    for claim in evidence.claims:
        place = (claim.conversation, claim.seq)
        known = evidence.log[place]
        detail = f"{claim.device} was told {claim}, {known.device} was told {known}"
        if claim.msgid != known.msgid:
            yield Violation(Promise.SEQ_REUSED, detail)
        elif claim.sender != known.sender or (claim.content != known.content and not claim.removed):
            yield Violation(Promise.ALTERED, detail)
        if places.setdefault(claim.msgid, place) != place:
            yield Violation(Promise.MSGID_REUSED, f"msgid {claim.msgid} is at {places[claim.msgid]} and at {place}")
        if not evidence.may_see(claim.device[0], place):
            yield Violation(Promise.LEAKED, f"{claim.conversation} seq {claim.seq} was shown to {claim.device}")


def nothing_invented(evidence: Evidence) -> Iterator[Violation]:
    """Every place in the log goes back to one send, and no send to two places."""
    for place, author in evidence.authors.items():
        if author is None:
            yield _without_author(evidence, place)
    for send in evidence.sends.values():
        answers = {(answer.msgid, answer.seq) for answer in send.answers}
        if len(answers) > 1:
            yield Violation(Promise.RETRY, f"{send} was answered with {sorted(answers)}")
        for attempt in send.attempts if answers else ():
            if attempt.at > send.first_answer_at and attempt.refusal not in (None, pb.UNAVAILABLE):
                yield Violation(Promise.RETRY, f"{send} was refused with {attempt.refusal} after it had been stored")


def _without_author(evidence: Evidence, place: Place) -> Violation:
    claim = evidence.log[place]
    alike = [s for s in evidence.sends.values() if (s.conversation, s.content) == (claim.conversation, claim.content)]
    alike = [send for send in alike if send.device[0] == claim.sender]
    if any(send.refused for send in alike):
        return Violation(Promise.REFUSED, str(claim))
    return Violation(Promise.DOUBLED if alike else Promise.INVENTED, str(claim))


def no_gap(evidence: Evidence) -> Iterator[Violation]:
    """The places of each conversation are numbered from 1, and later msgids are larger."""
    for conversation, seqs in evidence.conversations().items():
        missing = sorted(set(range(1, max(seqs) + 1)) - set(seqs))
        if missing or min(seqs) < 1:
            yield Violation(
                Promise.GAP, f"{conversation} has nothing at {missing[:10]}, lowest seq {min(seqs)}, highest {max(seqs)}"
            )
        for earlier, later in pairwise(seqs):
            if evidence.log[conversation, earlier].msgid >= evidence.log[conversation, later].msgid:
                yield Violation(Promise.MSGID_ORDER, f"{conversation} seq {earlier} and {later}")


def in_order_of_sending(evidence: Evidence) -> Iterator[Violation]:
    """Per sender as sent, and never before what was already acknowledged to anybody."""
    stored: dict[tuple[str, Device], list[Send]] = defaultdict(list)
    for (conversation, _), author in sorted(evidence.authors.items(), key=lambda item: item[0]):
        if author:
            stored[conversation, author.device].append(author)
    for sends in stored.values():
        for earlier, later in pairwise(sends):
            if _must_precede(later, earlier) and not _may_have_been_refused(evidence, later):
                yield Violation(Promise.SENDER_ORDER, f"{later} was sent before {earlier}")
    acknowledged = _highest_acknowledged(evidence)
    for (conversation, seq), author in evidence.authors.items():
        if author and seq <= acknowledged[author.attempts[0].at]:
            yield Violation(Promise.PLACE_ORDER, f"{author} got {conversation} seq {seq}, a later one was taken already")


def _must_precede(one: Send, other: Send) -> bool:
    """Whether on every connection where `other` was tried, `one` was tried before it and not turned down."""
    tries: dict[int, int] = {}
    for attempt in one.attempts:
        if attempt.refusal is None:
            tries.setdefault(attempt.connection, attempt.at)
    return all(tries.get(attempt.connection, attempt.at) < attempt.at for attempt in other.attempts)


def _may_have_been_refused(evidence: Evidence, send: Send) -> bool:
    """Whether it went to a group that its sender might not write to at some time, and an answer was lost."""
    if not is_group(send.conversation):
        return False
    span = evidence.span_of(send.conversation, send.attempts[0].at, len(evidence.history))
    return not all(state.may_post(send.device[0]) for state in evidence.groups[send.conversation].between(*span))


def _highest_acknowledged(evidence: Evidence) -> Mapping[int, int]:
    """For the first attempt of each send: the highest seq that its conversation was known to have by then."""
    answered = {id(answer): send.conversation for send in evidence.sends.values() for answer in send.answers}
    first_tries = {send.attempts[0].at: send.conversation for send in evidence.sends.values()}
    highest: Counter[str] = Counter()
    known: dict[int, int] = {}
    for at, event in enumerate(evidence.history):
        if at in first_tries:
            known[at] = highest[first_tries[at]]
        elif id(event) in answered:
            conversation = answered[id(event)]
            highest[conversation] = max(highest[conversation], event.seq)  # type: ignore[union-attr]
    return known


# ---------------------------------------------------------------- what is delivered (protocol §5)


def everything_delivered(evidence: Evidence) -> Iterator[Violation]:
    """Each device got what it is owed, and nothing that it sent itself."""
    for device in evidence.devices:
        received = evidence.received[device]
        for place in evidence.owed(device):
            if place not in received:
                yield Violation(Promise.LOST, f"{device} never got {evidence.log[place]}")
        for place in received:
            if evidence.is_own(device, place):
                yield Violation(Promise.ECHOED, f"{device} got {place}")


def pushed_upwards(evidence: Evidence) -> Iterator[Violation]:
    """Per connection upwards, without a gap but for the device's own; only a re-push after 30 s begins again."""
    last: dict[tuple[int, str], int] = {}
    pushed_ms: dict[tuple[int, int], int] = {}  # by connection and msgid
    acked: Counter[tuple[Device, str]] = Counter()
    places: dict[int, Place] = {}
    owed = {device: set(evidence.owed(device)) for device in evidence.devices}
    for event in evidence.history:
        if isinstance(event, Acked) and event.msgid in places:
            conversation, seq = places[event.msgid]
            key = (evidence.connections[event.connection], conversation)
            acked[key] = max(acked[key], seq)
        if not isinstance(event, Received):
            continue
        device = evidence.device(event)
        before = last.get((event.connection, event.conversation))
        last_push_ms = pushed_ms.get((event.connection, event.msgid))
        again = last_push_ms is not None and event.at_ms - last_push_ms >= REPUSH_MS
        if before is not None and event.seq <= before and not again:
            yield Violation(Promise.REORDERED, f"{device} got {event} after seq {before}")
        start = acked[device, event.conversation] if before is None else before
        skipped = [(event.conversation, seq) for seq in range(start + 1, event.seq)]
        if not again and any(place in owed[device] for place in skipped):
            yield Violation(Promise.REORDERED, f"{device} got {event} before one of {skipped[:10]}")
        last[event.connection, event.conversation] = event.seq
        pushed_ms[event.connection, event.msgid] = event.at_ms
        places[event.msgid] = (event.conversation, event.seq)


def acked_is_settled(evidence: Evidence) -> Iterator[Violation]:
    """An ack that the server has had time to process ends the pushing of that message and all before it."""
    for event, settled in settled_acks(evidence):
        if event.seq <= settled:
            yield Violation(Promise.PUSHED_AGAIN, f"{evidence.device(event)} got {event}, had acknowledged {settled}")


RULES: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
    one_log_for_everyone,
    nothing_invented,
    no_gap,
    in_order_of_sending,
    everything_delivered,
    pushed_upwards,
    acked_is_settled,
    *GROUP_RULES,
    *CHANGING_RULES,
)
