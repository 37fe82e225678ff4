"""What a store has to answer, computed the slow and obvious way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rockdove.core.msgid import timestamp_field
from rockdove.core.records import (
    FOREVER,
    Batch,
    Draft,
    DraftRun,
    MoveRead,
    Outcome,
    Position,
    Span,
    Stored,
    Summary,
    User,
    peer_of,
    single_conversation,
    single_members,
)
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb


@dataclass(frozen=True)
class Device:
    """Who asks."""

    id: int
    user: int
    name: str


def text(to: str, words: str) -> bytes:
    """A Message as its sender writes it."""
    return codec.canonical(pb.Message(type=pb.TXT, to=to, payload=pb.MessageTxt(txt=words).SerializeToString()))


def draft_of(sender: User, device: int, seqid: int, receiver: User, words: str, msgid: int = 0) -> Draft:
    """A message that is ready to be stored, or, without a msgid, to be numbered."""
    conversation = single_conversation(sender.id, receiver.id)
    body = text(receiver.name, words)
    draft = Draft(sender.tenant, conversation, sender.id, codec.sender_field(sender.name), device, seqid, body, None)
    draft.msgid = msgid
    return draft


def each_of(run: DraftRun) -> list[Draft]:
    """The messages of a run that was stored, as if each had been stored alone."""
    drafts = run.drafts()
    for draft, msgid, record in zip(drafts, run.msgids, run.records, strict=True):
        draft.msgid, draft.record = msgid, record
        draft.seq = pb.Message.FromString(record).seq
    return drafts


@dataclass
class Log:
    """One conversation."""

    tenant: int
    messages: list[Stored] = field(default_factory=list)  # all there ever were
    kept_after: int = 0  # seq; what is not above it was cut

    @property
    def kept(self) -> list[Stored]:
        return [message for message in self.messages if message.seq > self.kept_after]

    @property
    def last(self) -> Stored:
        return self.messages[-1]


class Model:
    """The meaning of `core.ports.Store`."""

    def __init__(self, users: Iterable[User], retention_days: Mapping[int, int]) -> None:
        self.names = {user.id: user.name for user in users}
        self.retention_days = retention_days
        self.logs: dict[int, Log] = {}
        self.requests: dict[tuple[int, int], tuple[bytes, Stored]] = {}  # by device and seqid
        self.devices: list[Device] = []
        self.last_seqids: dict[int, int] = {}
        self.seen_ms: dict[int, int] = {}
        self.cursors: dict[tuple[int, int], int] = {}
        self.reads: dict[tuple[int, int], int] = {}
        self.last_msgid = 0

    # -- what changes

    def open_device(self, device: Device, now_ms: int) -> None:
        siblings = [sibling.id for sibling in self.devices if sibling.user == device.user]
        for conversation in self.logs:
            self.cursors[device.id, conversation] = max((self.cursor(s, conversation) for s in siblings), default=0)
        self.devices.append(device)
        self.seen_ms[device.id] = now_ms

    def commit(self, batch: Batch) -> None:
        """Check what became of each draft, and take the batch over. Call it after a successful commit of the store."""
        for run in batch.runs:
            for draft in each_of(run):
                self._store(draft)
        for draft in batch.messages:
            self._store(draft)
        for key, seq in batch.cursors.items():
            self.cursors[key] = max(seq, self.cursors.get(key, 0))
        for _, change in batch.changes:
            for effect in change.effects:
                assert isinstance(effect, MoveRead)
                key = effect.user, effect.conversation
                self.reads[key] = max(effect.seq, self.reads.get(key, 0))
        for device in batch.seen:
            self.seen_ms[device] = batch.now_ms

    def _store(self, draft: Draft) -> None:
        key = (draft.device, draft.seqid)
        if draft.seqid and key in self.requests:
            body, message = self.requests[key]
            if body == draft.body:
                assert (draft.outcome, draft.msgid, draft.seq) == (Outcome.RETRY, message.msgid, message.seq)
            else:
                assert draft.outcome is Outcome.CONFLICT
            return
        log = self.logs.setdefault(draft.conversation, Log(draft.tenant))
        seq = len(log.messages) + 1
        record = codec.record(draft.body, draft.sender_field, draft.msgid, seq, timestamp_field(draft.msgid))
        assert (draft.outcome, draft.seq, draft.record) == (Outcome.STORED, seq, record)
        log.messages.append(Stored(seq, draft.msgid, draft.sender, draft.device, record))
        self.last_msgid = draft.msgid
        if draft.seqid:
            self.requests[key] = (draft.body, log.last)
            self.last_seqids[draft.device] = max(draft.seqid, self.last_seqids.get(draft.device, 0))

    def may_cut(self, conversation: int, through: int, older_than: int) -> int:
        """How many messages a cut may take."""
        return sum(message.seq <= through and message.msgid < older_than for message in self.logs[conversation].kept)

    def forget_requests(self, older_than: int) -> None:
        for key, (_, message) in list(self.requests.items()):
            if message.msgid < older_than and any(message in log.messages[: log.kept_after] for log in self.logs.values()):
                del self.requests[key]

    # -- what is read

    def cursor(self, device: int, conversation: int) -> int:
        return self.cursors.get((device, conversation), 0)

    def conversations(self, user: int) -> list[int]:
        """From old activity to new."""
        mine = [conversation for conversation in self.logs if user in single_members(conversation)]
        return sorted(mine, key=lambda conversation: self.logs[conversation].last.msgid)

    def owed(self, device: Device) -> list[int]:
        return [c for c in self.conversations(device.user) if self.logs[c].last.seq > self.cursor(device.id, c)]

    def position(self, device: Device, conversation: int) -> Position:
        siblings = [sibling.id for sibling in self.devices if sibling.user == device.user]
        return Position(self.cursor(device.id, conversation), max(self.cursor(s, conversation) for s in siblings))

    def summaries(self, device: Device) -> list[Summary]:
        return [self._summary(device, conversation) for conversation in reversed(self.conversations(device.user))]

    def _summary(self, device: Device, conversation: int) -> Summary:
        log, peer = self.logs[conversation], peer_of(conversation, device.user)
        read = self.reads.get((device.user, conversation), 0)
        return Summary(
            conversation=conversation,
            peer=self.names[peer],
            last_seq=log.last.seq,
            acked_seq=self.cursor(device.id, conversation),
            read_seq=read,
            peer_read_seq=self.reads.get((peer, conversation), 0),
            unread=sum(message.seq > read and message.sender != device.user for message in log.kept),
            last_msgid=log.last.msgid,
            last=log.last.record if log.kept else b"",
        )

    def spans(self, unseen_since_ms: int) -> list[Span]:
        """All of them, by id."""
        finite = [c for c in sorted(self.logs) if self.retention_days[self.logs[c].tenant] != FOREVER]
        return [self._span(conversation, unseen_since_ms) for conversation in finite]

    def _span(self, conversation: int, unseen_since_ms: int) -> Span:
        log = self.logs[conversation]
        of_members = [device for device in self.devices if device.user in single_members(conversation)]
        alive = [device.id for device in of_members if self.seen_ms[device.id] >= unseen_since_ms]
        return Span(
            conversation=conversation,
            retention_days=self.retention_days[log.tenant],
            first_seq=log.kept_after + 1,
            last_seq=log.last.seq,
            acked_by_all=min((self.cursor(device, conversation) for device in alive), default=log.last.seq),
            everyone_has_device={device.user for device in of_members} == set(single_members(conversation)),
        )
