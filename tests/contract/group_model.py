"""What a store has to answer about groups, contacts and changed messages, computed the slow and obvious way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rockdove.core.msgid import timestamp_field
from rockdove.core.records import (
    GROUPS_END,
    OPEN,
    Append,
    Contact,
    ContactState,
    Draft,
    DropJoinRequest,
    Effect,
    EndMembers,
    Group,
    HideMessages,
    JoinRequest,
    KickDevice,
    Member,
    MoveRead,
    NoteEdit,
    Outcome,
    PutContact,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    ReadMarks,
    Rewrite,
    Role,
    Span,
    Spans,
    Stored,
    Summary,
    User,
    peer_of,
    single_members,
)
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb


@dataclass
class Installation:
    """A device."""

    id: int
    user: int
    name: str
    kicked_ms: int = 0
    last_seqid: int = 0
    cursors: dict[int, int] = field(default_factory=dict)


@dataclass
class Log:
    """One conversation."""

    messages: list[Stored] = field(default_factory=list)  # all there ever were, as they are now
    kept_after: int = 0

    @property
    def last_seq(self) -> int:
        return len(self.messages)

    @property
    def kept(self) -> list[Stored]:
        return self.messages[self.kept_after :]

    def at(self, seq: int) -> Stored | None:
        """The message, if it was not cut."""
        return self.messages[seq - 1] if self.kept_after < seq <= self.last_seq else None


def expanded(spans: Spans, last_seq: int) -> set[int]:
    """The seqs in them."""
    return {seq for after, through in spans for seq in range(after + 1, min(through, last_seq) + 1)}


def message_of(record: bytes) -> pb.Message:
    return pb.Message.FromString(record)


class GroupModel:
    """The meaning of the effects, and of what is read afterwards. All is in one tenant without retention."""

    def __init__(self, users: Iterable[User]) -> None:
        self.names = {user.id: user.name for user in users}
        self.logs: dict[int, Log] = {}
        self.requests: dict[tuple[int, int], tuple[bytes, int, int]] = {}
        self.devices: list[Installation] = []
        self.groups: dict[int, Group] = {}
        self.members: dict[tuple[int, int], Member] = {}
        self.times: dict[tuple[int, int], list[tuple[int, int]]] = {}  # of the past, by conversation and user
        self.join_requests: dict[tuple[int, int], JoinRequest] = {}
        self.contacts: dict[tuple[int, int], Contact] = {}
        self.edits: dict[int, set[int]] = {}
        self.reads: dict[tuple[int, int], int] = {}
        self.cleared: dict[tuple[int, int], int] = {}
        self.hidden: set[tuple[int, int, int]] = set()

    # -- what changes

    def store(self, draft: Draft, allowed: bool) -> tuple[Outcome, int, int]:
        """What must become of it: outcome, msgid, seq."""
        key = draft.device, draft.seqid
        if key in self.requests:
            body, msgid, seq = self.requests[key]
            return Outcome.RETRY if body == draft.body else Outcome.CONFLICT, msgid, seq
        if not allowed:
            return Outcome.REFUSED, draft.msgid, 0
        log = self.logs.setdefault(draft.conversation, Log())
        seq = log.last_seq + 1
        record = codec.record(draft.body, draft.sender_field, draft.msgid, seq, timestamp_field(draft.msgid))
        log.messages.append(Stored(seq, draft.msgid, draft.sender, draft.device, record))
        if draft.seqid:
            self.requests[key] = draft.body, draft.msgid, seq
            device = next(device for device in self.devices if device.id == draft.device)
            device.last_seqid = max(draft.seqid, device.last_seqid)
        return Outcome.STORED, draft.msgid, seq

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case PutGroup(group):
                self.groups[group.conversation] = group
            case PutMembers(conversation, users):
                for user in users:
                    if (conversation, user) not in self.members:
                        self._move_read(user, conversation, self.last_seq(conversation))
                    self.members[conversation, user] = Member(conversation, user, *effect[2:])
            case EndMembers(conversation, users, through):
                for user in users:
                    member = self.members.pop((conversation, user))
                    self.times.setdefault((conversation, user), []).append((member.after_seq, through))
            case PutJoinRequest(request):
                self.join_requests[request.conversation, request.user] = request
            case DropJoinRequest(conversation, user):
                self.join_requests.pop((conversation, user), None)
            case PutContact(contact):
                self.contacts[contact.user, contact.peer] = contact
            case Append(draft):
                self.store(draft, allowed=True)
            case Rewrite(msgid, record):
                found = self.located(msgid)
                if found:
                    conversation, message = found
                    self.logs[conversation].messages[message.seq - 1] = message._replace(record=record)
            case NoteEdit(msgid, edit):
                self.edits.setdefault(msgid, set()).add(edit)
            case MoveRead(user, conversation, seq):
                self._move_read(user, conversation, seq)
            case HideMessages(user, conversation, seqs, through):
                self.hidden |= {(user, conversation, seq) for seq in seqs}
                self.cleared[user, conversation] = max(through, self.cleared.get((user, conversation), 0))
                self._drop_hidden(user, conversation, self.cleared[user, conversation])
            case KickDevice(device_id, at_ms):
                device = next(device for device in self.devices if device.id == device_id)
                device.kicked_ms = max(at_ms, device.kicked_ms)

    def _move_read(self, user: int, conversation: int, seq: int) -> None:
        self.reads[user, conversation] = max(seq, self.reads.get((user, conversation), 0))

    def _drop_hidden(self, user: int, conversation: int, through: int) -> None:
        self.hidden -= {(user, conversation, seq) for seq in range(through + 1)}

    def cut(self, conversation: int, count: int) -> None:
        log = self.logs[conversation]
        for message in log.kept[:count]:
            self.edits.pop(message.msgid, None)
        log.kept_after += count
        for user in self.names:
            self._drop_hidden(user, conversation, log.kept_after)

    # -- what is read

    def last_seq(self, conversation: int) -> int:
        return self.logs[conversation].last_seq if conversation in self.logs else 0

    def located(self, msgid: int) -> tuple[int, Stored] | None:
        return next(((c, m) for c, log in self.logs.items() for m in log.kept if m.msgid == msgid), None)

    def lives(self, conversation: int) -> bool:
        return conversation in self.groups and not self.groups[conversation].dissolved

    def present(self, conversation: int) -> list[Member]:
        """By user id."""
        return [m for (c, _), m in sorted(self.members.items()) if c == conversation and self.lives(c)]

    def admins(self, conversation: int) -> list[int]:
        return [member.user for member in self.present(conversation) if member.role > Role.MEMBER]

    def groups_of(self, user: int) -> list[int]:
        return [c for (c, of) in sorted(self.members) if of == user and self.lives(c)]

    def was_in(self, user: int, conversation: int) -> list[tuple[int, int]]:
        """From where to where he was in it, if there was anything to see."""
        if conversation >= GROUPS_END:
            return [(0, OPEN)] if user in single_members(conversation) else []
        times = list(self.times.get((conversation, user), ()))
        if member := self.members.get((conversation, user)):
            times.append((member.after_seq, OPEN))
        return [(after, through) for after, through in times if after < through]

    def seen(self, user: int, conversation: int) -> set[int]:
        """The seqs that the user may see, also of what was cut."""
        seqs = range(self.cleared.get((user, conversation), 0) + 1, self.last_seq(conversation) + 1)
        return {seq for seq in seqs if any(a < seq <= t for a, t in self.was_in(user, conversation))}

    def owes(self, device: Installation, conversation: int) -> set[int]:
        return {seq for seq in self.seen(device.user, conversation) if seq > device.cursors.get(conversation, 0)}

    def end(self, user: int, conversation: int) -> tuple[int, int]:
        """(msgid, seq) of the end of the log for this user."""
        log = self.logs[conversation]
        seq = max(min(through, log.last_seq) for _, through in self.was_in(user, conversation))
        message = log.messages[seq - 1] if seq == log.last_seq else log.at(seq)
        return message.msgid if message else 0, seq

    def conversations(self, user: int) -> list[int]:
        """From old activity to new."""
        mine = [conversation for conversation in self.logs if self.was_in(user, conversation)]
        return sorted(mine, key=lambda conversation: (self.end(user, conversation)[0], conversation))

    def owed(self, device: Installation) -> list[int]:
        return [conversation for conversation in self.conversations(device.user) if self.owes(device, conversation)]

    def unread(self, user: int, conversation: int) -> int:
        count = 0
        for message in self.logs[conversation].kept:
            content = message_of(message.record)
            news = content.type not in (pb.NOTICE, pb.RECALL, pb.EDIT, pb.REACTION) and not content.removed
            visible = message.seq in self.seen(user, conversation)
            count += news and visible and message.sender != user and message.seq > self.reads.get((user, conversation), 0)
        return count

    def summaries(self, device: Installation) -> list[Summary]:
        return [self._summary(device, conversation) for conversation in reversed(self.conversations(device.user))]

    def _summary(self, device: Installation, conversation: int) -> Summary:
        user, log = device.user, self.logs[conversation]
        last_msgid, last_seq = self.end(user, conversation)
        group = self.groups.get(conversation)
        peer = 0 if group else peer_of(conversation, user)
        last = log.at(max(self.seen(user, conversation), default=0))
        record = last.record if last else b""
        if last and (user, conversation, last.seq) in self.hidden:
            content = message_of(record)
            for name in ("payload", "reply_to", "mentions", "edited"):
                content.ClearField(name)
            content.removed = True
            record = content.SerializeToString()
        return Summary(
            conversation=conversation,
            peer=group.id if group else self.names[peer],
            last_seq=last_seq,
            acked_seq=device.cursors.get(conversation, 0),
            read_seq=self.reads.get((user, conversation), 0),
            peer_read_seq=self.reads.get((peer, conversation), 0),
            unread=self.unread(user, conversation),
            last_msgid=last_msgid,
            last=record,
            name=group.name if group else "",
            left=group is not None and user not in [member.user for member in self.present(conversation)],
        )

    def read_marks(self, conversation: int, seq: int) -> ReadMarks:
        message = self.logs[conversation].at(seq) if conversation in self.logs else None
        sender = message.sender if message else 0
        could = [m.user for m in self.present(conversation) if m.after_seq < seq and m.user != sender]
        have = [(user, self.names[user]) for user in could if self.reads.get((user, conversation), 0) >= seq]
        return ReadMarks(len(have), len(could), have)

    def roster(self, user: int) -> list[Contact]:
        """By version."""
        return sorted((c for c in self.contacts.values() if c.user == user), key=lambda contact: contact.version)

    def friends(self, user: int) -> set[int]:
        return {c.peer for c in self.roster(user) if c.state == ContactState.FRIEND and not c.blocked}

    def spans(self) -> list[Span]:
        """All of them, by id."""
        return [self._span(conversation, log) for conversation, log in sorted(self.logs.items())]

    def _span(self, conversation: int, log: Log) -> Span:
        lacking = [self.owes(device, conversation) for device in self.devices]
        members = {user for user in self.names if any(t == OPEN for _, t in self.was_in(user, conversation))}
        return Span(
            conversation=conversation,
            retention_days=0,
            first_seq=log.kept_after + 1,
            last_seq=log.last_seq,
            acked_by_all=min((min(seqs) - 1 for seqs in lacking if seqs), default=log.last_seq),
            everyone_has_device=members <= {device.user for device in self.devices},
        )
