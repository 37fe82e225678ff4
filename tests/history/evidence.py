"""A history, sorted for the rules: who sent what, and which log everybody together has seen."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from rockdove.wire import im_pb2 as pb
from tests.history.content import is_group
from tests.history.events import Answered, Asked, Event, Invoked, LoggedIn, Pulled, Received, Refused, Sent
from tests.history.group import GroupLog, tells_of

Device = tuple[str, str]  # user, name of the device
Place = tuple[str, int]  # conversation, seq


@dataclass(slots=True)
class Attempt:
    """One invocation of a send."""

    connection: int
    at: int  # index in the history
    answered_at: int = 0  # as index in the history; 0: no answer
    refusal: int | None = None  # its code


@dataclass(slots=True)
class Send:
    """One message that a device wanted to send, with all its retries."""

    device: Device
    seqid: int
    conversation: str
    content: bytes
    attempts: list[Attempt] = field(default_factory=list)
    answers: list[Sent] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether it cannot have been stored: each attempt was turned down by an answer that promises so."""
        return all(attempt.refusal not in (None, pb.UNAVAILABLE) for attempt in self.attempts)

    @property
    def first_answer_at(self) -> int:
        """When it was known to be stored, as index in the history."""
        return min(a.answered_at for a in self.attempts if a.answered_at and a.refusal is None)

    def unanswered(self, connection: int) -> Attempt:
        """The attempt that the next answer on this connection is for."""
        return next(a for a in self.attempts if a.connection == connection and not a.answered_at)

    def __str__(self) -> str:
        return f"{'/'.join(self.device)}'s seqid {self.seqid} {self.content[:40]!r}"


@dataclass(slots=True)
class Ask:
    """One request for a change of a group; its retries are others."""

    user: str
    conversation: str
    request: pb.Group
    connection: int
    at: int
    code: int | None = None
    answered_at: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody was told that this message has this place."""

    conversation: str
    seq: int
    msgid: int
    sender: str
    content: bytes
    device: Device  # who was told
    removed: bool = False

    def __str__(self) -> str:
        return f"{self.conversation} seq {self.seq} msgid {self.msgid} {self.sender}: {self.content[:40]!r}"


class Evidence:
    """The sorted history. `members` are the users of each single conversation; who is in a group, its log tells.

    `log` holds the first claim for each place and `authors` the send it came from, None where nobody
    sent such a thing. Messages whose answer was lost are matched by content, so contents of messages with an unknown
    outcome should be unique per sender.
    """

    def __init__(self, history: Sequence[Event], members: Mapping[str, Collection[str]]) -> None:
        self.history = history
        self.members = members
        self.devices: dict[Device, int] = {}  # first login, as index in the history
        self.connections: dict[int, Device] = {}
        self.sends: dict[tuple[Device, int], Send] = {}
        self.received: dict[Device, set[Place]] = defaultdict(set)
        self.claims: list[Claim] = []
        self.asks: dict[tuple[Device, int], list[Ask]] = defaultdict(list)
        self._known: dict[str, list[tuple[int, int]]] = defaultdict(list)  # (at, highest seq that somebody was told)
        for at, event in enumerate(history):
            self._sort(at, event)
        self.log = self._log()
        self._seqs = self._sorted_seqs()
        self.authors = self._authors()
        self.groups = {conversation: self._group(conversation) for conversation in filter(is_group, self.conversations())}
        self._began = {conversation: self._beginnings(conversation) for conversation in self.conversations()}

    def device(self, event: Received | Pulled | Invoked | Sent | Refused | Asked | Answered) -> Device:
        """Whose connection that was."""
        return self.connections[event.connection]

    def conversations(self) -> Mapping[str, list[int]]:
        """The seqs known of each conversation, upwards."""
        return self._seqs

    def is_own(self, device: Device, place: Place) -> bool:
        """Whether the message at that place was sent by this device."""
        author = self.authors.get(place)
        return author is not None and author.device == device

    def is_notice(self, place: Place) -> bool:
        """Whether the server itself wrote what is there."""
        return is_group(place[0]) and not self.log[place].sender

    def may_see(self, user: str, place: Place) -> bool:
        """Whether what is there is for the user."""
        conversation, seq = place
        if is_group(conversation):
            return self.groups[conversation].may_see(user, seq)
        return user in self.members[conversation]

    def span_of(self, conversation: str, begin: int, end: int) -> tuple[int, int]:
        """After which seqs something in the log of a group was decided that took place between these times: at least, at most.

        Times are indexes in the history.
        """
        known = self._known[conversation]
        before = bisect_left(known, (begin, 0))
        low = known[before - 1][1] if before else 0
        return low, bisect_right(self._began.get(conversation, []), end)

    def owed(self, device: Device) -> Iterator[Place]:
        """What must reach the device: all that others sent in its conversations since it exists.

        A user's first device exists from the start (protocol §5: a device seen for the first time).
        """
        since = self.devices[device]
        if since == min(at for (user, _), at in self.devices.items() if user == device[0]):
            since = -1
        for place in self.log:
            author = self.authors.get(place)
            if (author or self.is_notice(place)) and not self.is_own(device, place) and self.may_see(device[0], place):
                conversation, seq = place
                began = self._began.get(conversation, [])
                if not 0 < seq <= len(began) or began[seq - 1] > since:  # not in the log: it was promised all the same
                    yield place

    # ------------------------------------------------------------ sorting

    def _sort(self, at: int, event: Event) -> None:
        match event:
            case LoggedIn(connection, user, name):
                self.connections[connection] = (user, name)
                self.devices.setdefault((user, name), at)
            case Invoked(connection, seqid, conversation, content):
                device = self.device(event)
                send = self.sends.setdefault((device, seqid), Send(device, seqid, conversation, content))
                send.attempts.append(Attempt(connection, at))
            case Sent(connection, seqid, msgid, seq):
                send = self.sends[self.device(event), seqid]
                send.answers.append(event)
                send.unanswered(connection).answered_at = at
                self._knows(at, send.conversation, seq)
                self.claims.append(Claim(send.conversation, seq, msgid, send.device[0], send.content, send.device))
            case Refused(connection, seqid, code):
                attempt = self.sends[self.device(event), seqid].unanswered(connection)
                attempt.refusal, attempt.answered_at = code, at
            case Asked(connection, seqid, conversation, request):
                device = self.device(event)
                self.asks[device, seqid].append(Ask(device[0], conversation, pb.Group.FromString(request), connection, at))
            case Answered(connection, seqid, code):
                asks = self.asks[self.device(event), seqid]
                ask = next(ask for ask in asks if ask.connection == connection and ask.code is None)
                ask.code, ask.answered_at = code, at
            case Received(_, msgid, seq, conversation, sender, content) | Pulled(_, msgid, seq, conversation, sender, content):
                self.claims.append(Claim(conversation, seq, msgid, sender, content, self.device(event), event.removed))
                self._knows(at, conversation, seq)
                if isinstance(event, Received):
                    self.received[self.device(event)].add((conversation, seq))
            case _:
                pass

    def _knows(self, at: int, conversation: str, seq: int) -> None:
        known = self._known[conversation]
        if not known or known[-1][1] < seq:
            known.append((at, seq))

    def _log(self) -> dict[Place, Claim]:
        log: dict[Place, Claim] = {}
        for claim in sorted(self.claims, key=lambda claim: (claim.removed, claim.sender != claim.device[0])):
            log.setdefault((claim.conversation, claim.seq), claim)
        return log

    def _sorted_seqs(self) -> Mapping[str, list[int]]:
        seqs: dict[str, list[int]] = defaultdict(list)
        for conversation, seq in sorted(self.log):
            seqs[conversation].append(seq)
        return seqs

    def _authors(self) -> dict[Place, Send | None]:
        authors: dict[Place, Send | None] = {}
        unanswered: dict[tuple[str, str, bytes], list[Send]] = defaultdict(list)
        for send in self.sends.values():
            if not send.answers and not send.refused:
                unanswered[send.conversation, send.device[0], send.content].append(send)
            for answer in send.answers:
                authors.setdefault((send.conversation, answer.seq), send)
        for place, claim in sorted(self.log.items()):
            if place not in authors and not self.is_notice(place):
                candidates = unanswered[claim.conversation, claim.sender, claim.content]
                authors[place] = candidates.pop(0) if candidates else None
        return authors

    def _group(self, conversation: str) -> GroupLog:
        seqs = self.conversations()[conversation]
        places = [(conversation, seq) for seq in seqs]
        notices = {place[1]: pb.Notice.FromString(self.log[place].content) for place in places if self.is_notice(place)}
        creates = (ask.request.create for ask in self.asked_for(conversation) if ask.request.HasField("create"))
        history_for_new = any(create.policy.history_for_new for create in creates)  # the same in all of them
        return GroupLog(notices, max(seqs), history_for_new=history_for_new)

    def asked_for(self, conversation: str) -> Iterator[Ask]:
        """All that was asked for about that group."""
        return (ask for asks in self.asks.values() for ask in asks if ask.conversation == conversation)

    def _beginnings(self, conversation: str) -> list[int]:
        """For each seq from 1 on, a time before which it was not stored, as index in the history."""
        begun = [self._begun((conversation, seq)) for seq in range(1, max(self.conversations()[conversation]) + 1)]
        return list(accumulate(begun, max))

    def _begun(self, place: Place) -> int:
        if author := self.authors.get(place):
            return author.attempts[0].at
        if place not in self.log or not self.is_notice(place):
            return 0
        notice = pb.Notice.FromString(self.log[place].content)
        asks = (ask for ask in self.asked_for(place[0]) if ask.user == notice.actor and tells_of(notice, ask.request))
        return min((ask.at for ask in asks), default=0)
