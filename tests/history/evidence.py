"""A history, sorted for the rules: who sent what, and which log everybody together has seen."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rockdove.wire import im_pb2 as pb
from tests.history.events import Event, Invoked, LoggedIn, Pulled, Received, Refused, Sent

Device = tuple[str, str]  # user, name of the device
Place = tuple[str, int]  # conversation, seq


@dataclass(slots=True)
class Attempt:
    """One invocation of a send."""

    connection: int
    at: int  # index in the history
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

    def __str__(self) -> str:
        return f"{'/'.join(self.device)}'s seqid {self.seqid} {self.content[:40]!r}"


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody was told that this message has this place."""

    conversation: str
    seq: int
    msgid: int
    sender: str
    content: bytes
    device: Device  # who was told

    def __str__(self) -> str:
        return f"{self.conversation} seq {self.seq} msgid {self.msgid} {self.sender}: {self.content[:40]!r}"


class Evidence:
    """The sorted history.

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
        for at, event in enumerate(history):
            self._sort(at, event)
        self.log = self._log()
        self.authors = self._authors()

    def device(self, event: Received | Pulled | Invoked | Sent | Refused) -> Device:
        """Whose connection that was."""
        return self.connections[event.connection]

    def conversations(self) -> Mapping[str, list[int]]:
        """The seqs known of each conversation, upwards."""
        seqs: dict[str, list[int]] = defaultdict(list)
        for conversation, seq in sorted(self.log):
            seqs[conversation].append(seq)
        return seqs

    def is_own(self, device: Device, place: Place) -> bool:
        """Whether the message at that place was sent by this device."""
        author = self.authors.get(place)
        return author is not None and author.device == device

    def owed(self, device: Device) -> Iterator[Place]:
        """What must reach the device: all that others sent in its conversations since it exists.

        A user's first device exists from the start (protocol §5: a device seen for the first time).
        """
        since = self.devices[device]
        if since == min(at for (user, _), at in self.devices.items() if user == device[0]):
            since = -1
        for place, author in self.authors.items():
            if author and author.device != device and device[0] in self.members[place[0]] and author.attempts[0].at > since:
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
            case Sent(_, seqid, msgid, seq):
                send = self.sends[self.device(event), seqid]
                send.answers.append(event)
                self.claims.append(Claim(send.conversation, seq, msgid, send.device[0], send.content, send.device))
            case Refused(connection, seqid, code):
                attempts = self.sends[self.device(event), seqid].attempts
                next(a for a in attempts if a.connection == connection and a.refusal is None).refusal = code
            case Received(_, msgid, seq, conversation, sender, content) | Pulled(_, msgid, seq, conversation, sender, content):
                self.claims.append(Claim(conversation, seq, msgid, sender, content, self.device(event)))
                if isinstance(event, Received):
                    self.received[self.device(event)].add((conversation, seq))
            case _:
                pass

    def _log(self) -> dict[Place, Claim]:
        log: dict[Place, Claim] = {}
        told_to_senders = [claim for claim in self.claims if claim.sender == claim.device[0]]
        for claim in told_to_senders + self.claims:
            log.setdefault((claim.conversation, claim.seq), claim)
        return log

    def _authors(self) -> dict[Place, Send | None]:
        authors: dict[Place, Send | None] = {}
        unanswered: dict[tuple[str, str, bytes], list[Send]] = defaultdict(list)
        for send in self.sends.values():
            if not send.answers and not send.refused:
                unanswered[send.conversation, send.device[0], send.content].append(send)
            for answer in send.answers:
                authors.setdefault((send.conversation, answer.seq), send)
        for place, claim in sorted(self.log.items()):
            if place not in authors:
                candidates = unanswered[claim.conversation, claim.sender, claim.content]
                authors[place] = candidates.pop(0) if candidates else None
        return authors
