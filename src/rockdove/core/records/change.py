"""Changes, as data: a rule decides on them, the store carries them out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rockdove.core.errors import Refusal
from rockdove.core.msgid import MsgidSource
from rockdove.core.records.contact import Contact
from rockdove.core.records.conversation import OPEN
from rockdove.core.records.draft_run import DraftRun
from rockdove.core.records.group import Group, JoinRequest, Member, Role
from rockdove.core.records.message import Draft

if TYPE_CHECKING:
    from rockdove.core.ports import Rule


@dataclass(frozen=True, slots=True)
class PutGroup:
    """A new group, or a group's new state."""

    group: Group


class PutMembers(NamedTuple):
    """New members, or members' new state: in one group, and alike but for the user. Each is there once."""

    conversation: int
    users: Sequence[int]
    role: Role
    joined_ms: int
    after_seq: int
    muted_until_ms: int = 0

    @classmethod
    def of(cls, member: Member) -> "PutMembers":
        """Of one."""
        return cls(member.conversation, (member.user,), *member[2:])


class EndMembers(NamedTuple):
    """Members of a group go; they may still read what they saw, up to and including `through`. Each is there once."""

    conversation: int
    users: Sequence[int]
    through: int


@dataclass(frozen=True, slots=True)
class PutJoinRequest:
    """Somebody asks to join."""

    request: JoinRequest


@dataclass(frozen=True, slots=True)
class DropJoinRequest:
    """The request was answered or withdrawn."""

    conversation: int
    user: int


@dataclass(frozen=True, slots=True)
class PutContact:
    """One side of a contact. Its `version` is given by the rule: View.contact_version plus one."""

    contact: Contact


@dataclass(frozen=True, slots=True)
class Append:
    """A notice for a log. The rule has given it one of the change's msgids."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A stored message has another record now: it was edited, or its content removed (then from search, too)."""

    msgid: int
    record: bytes


@dataclass(frozen=True, slots=True)
class NoteEdit:
    """`edit` is the msgid of an EDIT of the message `msgid`."""

    msgid: int
    edit: int


@dataclass(frozen=True, slots=True)
class MoveRead:
    """A user has read a conversation up to `seq`; never moves back."""

    user: int
    conversation: int
    seq: int


@dataclass(frozen=True, slots=True)
class HideMessages:
    """A user deletes messages for himself: those with these seqs, and all up to and including `through`."""

    user: int
    conversation: int
    seqs: tuple[int, ...]
    through: int


@dataclass(frozen=True, slots=True)
class KickDevice:
    """Tokens given to this device up to now are dead."""

    device: int
    at_ms: int


Effect = (
    PutGroup
    | PutMembers
    | EndMembers
    | PutJoinRequest
    | DropJoinRequest
    | PutContact
    | Append
    | Rewrite
    | NoteEdit
    | MoveRead
    | HideMessages
    | KickDevice
)


class Change:
    """Something that is decided while it is stored: seen in its transaction, in its place among the messages."""

    __slots__ = ("done", "draft", "effects", "msgids", "notices", "refusal", "rule")

    def __init__(
        self,
        rule: "Rule",
        done: "Callable[[Change, Exception | None], None]",
        *,
        notices: int = 0,
        draft: Draft | None = None,
    ) -> None:
        """`done` is called once all is durable, or was refused, or with the error that says that nothing was stored.

        `notices` is how many Append effects there may be. `draft` is a message that is stored if the rule agrees, after the
        effects; whoever sent it is answered through it, as with any message.
        """
        self.rule = rule
        self.done = done
        self.notices = notices
        self.draft = draft
        self.msgids: list[int] = []  # given before the commit: for the notices, then for the draft
        # The store fills these.
        self.effects: list[Effect] = []
        self.refusal: Refusal | None = None

    def forget(self) -> None:
        """What the store had filled in does not hold: it rolled back, and begins anew."""
        self.effects, self.refusal = [], None
        if self.draft is not None:
            self.draft.forget()


class Batch:
    """What one turn of the loop wants durable: runs first, of each session at most one, then the rest as it was asked for."""

    __slots__ = ("changes", "cursors", "lane", "messages", "msgids", "newcomers", "now_ms", "parts", "runs", "seen")

    def __init__(self, lane: int = 0) -> None:
        self.lane = lane  # from 0 to below Store.lanes
        self.msgids: MsgidSource | None = None  # where it was numbered from
        self.runs: list[DraftRun] = []
        self.messages: list[Draft] = []
        self.changes: list[tuple[int, Change]] = []  # each after so many of the messages
        self.cursors: dict[tuple[int, int], int] = {}  # (device id, conversation) -> seq; never moves back
        self.seen: set[int] = set()  # devices that are here now
        self.newcomers: list[tuple[int, str, str]] = []  # devices that are about to be opened: user, name, client
        self.now_ms = 0
        self.parts: Sequence[Batch] = ()  # the batches that this one was joined of

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """One of several that have been numbered, without changes and newcomers: all their runs, and then their messages."""
        if len(batches) == 1:
            return batches[0]
        whole = cls(batches[0].lane)
        whole.parts, whole.msgids, whole.now_ms = batches, batches[0].msgids, batches[-1].now_ms
        for batch in batches:
            whole.seen |= batch.seen
            for place, seq in batch.cursors.items():
                whole.cursors[place] = max(seq, whole.cursors.get(place, 0))
        whole._collect()
        if whole.runs and whole.msgids is not None:  # a message of a batch stands behind the runs of the next one now
            whole.number(whole.msgids)
        return whole

    def _collect(self) -> None:
        self.runs = [run for part in self.parts for run in part.runs]
        self.messages = [draft for part in self.parts for draft in part.messages]

    def __bool__(self) -> bool:
        return bool(self.messages or self.runs or self.changes) or self.marks

    def __len__(self) -> int:
        """How many messages there are, those of changes not counted."""
        return sum(map(len, self.runs), len(self.messages))

    @property
    def marks(self) -> bool:
        """Whether there is something to be noted beside messages and changes."""
        return bool(self.cursors or self.seen or self.newcomers)

    def number(self, msgids: MsgidSource) -> None:
        """Give msgids, in the order in which the log will hold the messages."""
        self.msgids = msgids
        for run in self.runs:
            run.msgids = list(msgids.run(len(run), self.now_ms))
        self._number_steps(msgids)

    def _number_steps(self, msgids: MsgidSource) -> None:
        for messages, change in self.steps():
            if messages:
                for draft, msgid in zip(messages, msgids.run(len(messages), self.now_ms), strict=True):
                    draft.msgid = msgid
            if change is not None:
                change.msgids = list(msgids.run(change.notices + (change.draft is not None), self.now_ms))
                if change.draft is not None:
                    change.draft.msgid = change.msgids[-1]

    @property
    def size_bytes(self) -> int:
        """Of all its messages, those of changes not counted."""
        return sum(sum(map(len, run.bodies)) for run in self.runs) + sum([len(draft.body) for draft in self.messages])

    @property
    def devices(self) -> set[int]:
        """Of whom it stores messages."""
        drafts = [*self.messages, *(change.draft for _, change in self.changes if change.draft)]
        return {draft.device for draft in drafts}.union(run.device for run in self.runs)

    @property
    def first_msgid(self) -> int:
        """The lowest msgid that was given; OPEN if there is none."""
        given = [draft.msgid for draft in self.messages[:1]] + [run.msgids[0] for run in self.runs[:1]]
        return min(given + [change.msgids[0] for _, change in self.changes if change.msgids], default=OPEN)

    def store_runs(self, store: Callable[[DraftRun], bool]) -> None:
        """Have each run stored by `store`. Those that it turns down are unfolded, so that each message is looked at."""
        if turned_down := [run for run in self.runs if not store(run)]:
            self.unfold(turned_down)

    def unfold(self, runs: Sequence[DraftRun]) -> None:
        """Make messages of some of its runs: the first ones, and numbered after all other runs, which are stored before.

        What was joined is unfolded in the batch that it is of, whose messages are told of.
        """
        gone = set(runs)
        if self.parts:
            for part in self.parts:
                part.unfold([run for run in part.runs if run in gone])
            self._collect()
            if self.msgids is not None:
                self.number(self.msgids)
            return
        drafts = [draft for run in runs for draft in run.drafts()]
        self.runs = [run for run in self.runs if run not in gone]
        self.messages[:0] = drafts
        self.changes = [(index + len(drafts), change) for index, change in self.changes]
        if self.msgids is not None:
            self._number_steps(self.msgids)

    def begin_anew(self, after: int, now_ms: int) -> None:
        """For a store that rolled back and tries again: forget the outcomes, and number anew, above the msgid `after`."""
        assert self.msgids is not None, "the batch was never numbered"
        self.now_ms = now_ms
        for messages, change in self.steps():
            for draft in messages:
                draft.forget()
            if change is not None:
                change.forget()
        self.msgids.advance(after)
        self.number(self.msgids)

    def portions(self, limit: int) -> Iterator["Batch"]:
        """Batches that make up this one, in order: each has messages of up to `limit` bytes, or one that is longer."""
        part, size = self._part(), 0
        part.cursors, part.seen, part.newcomers = self.cursors, self.seen, self.newcomers
        for messages, change in self.steps():
            for draft in messages:
                if size and size + len(draft.body) > limit:
                    yield part
                    part, size = self._part(), 0
                part.messages.append(draft)
                size += len(draft.body)
            if change is not None:
                part.changes.append((len(part.messages), change))
        yield part

    def apart(self) -> Iterator["Batch"]:
        """Batches of one that make up this one: the marks, then each message and change, in order."""
        if self.cursors or self.seen:
            marks = self._part()
            marks.cursors, marks.seen = self.cursors, self.seen
            yield marks
        for messages, change in self.steps():
            for draft in messages:
                part = self._part()
                part.messages.append(draft)
                yield part
            if change is not None:
                part = self._part()
                part.changes.append((0, change))
                yield part

    def _part(self) -> "Batch":
        part = Batch(self.lane)
        part.msgids, part.now_ms = self.msgids, self.now_ms
        return part

    def steps(self) -> list[tuple[list[Draft], "Change | None"]]:
        """Messages and changes in their order: a run of messages, which may be empty, and the change after it, if any."""
        if not self.changes:
            return [(self.messages, None)]
        steps: list[tuple[list[Draft], Change | None]] = []
        start = 0
        for index, change in self.changes:
            steps.append((self.messages[start:index], change))
            start = index
        if start < len(self.messages):
            steps.append((self.messages[start:], None))
        return steps
