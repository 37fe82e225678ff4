"""The store in memory, for tests and the simulator: the shortest meaning of the port."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rockdove.core.ports import Accounts
from rockdove.core.records import (
    FOREVER,
    GROUPS_END,
    OPEN,
    Append,
    Batch,
    Caller,
    Change,
    Draft,
    DraftRun,
    DropJoinRequest,
    Effect,
    EndMembers,
    HideMessages,
    KickDevice,
    Match,
    Member,
    MoveRead,
    NoteEdit,
    Position,
    PutContact,
    PutGroup,
    PutJoinRequest,
    PutMembers,
    Query,
    ReadMarks,
    Rewrite,
    Span,
    Spans,
    Summary,
    next_span,
    peer_of,
    single_members,
)
from rockdove.store.deciding import decide, permitted
from rockdove.store.memory.contacts import MemoryContacts
from rockdove.store.memory.devices import MemoryDevices
from rockdove.store.memory.groups import MemoryGroups
from rockdove.store.memory.log import Conversation, MemoryLogs
from rockdove.store.searching import Search
from rockdove.store.visibility import last_visible, visible_spans
from rockdove.wire import codec


@dataclass
class _Reader:
    """What one user has done with one conversation."""

    read_seq: int = 0
    cleared_seq: int = 0
    hidden: set[int] = field(default_factory=set)  # seqs


class MemoryStore(MemoryLogs, MemoryDevices, MemoryGroups, MemoryContacts):
    """`core.ports.Store` that forgets everything with the process. `accounts` are those of the same users."""

    lanes = 1

    def __init__(self, accounts: Accounts, epoch: int = 1, *, shared: bool = False) -> None:
        """`shared`: by several nodes of this process."""
        MemoryLogs.__init__(self)
        MemoryDevices.__init__(self)
        MemoryGroups.__init__(self, accounts)
        MemoryContacts.__init__(self, accounts)
        self.epoch = epoch
        self.shared = shared
        self._readers: dict[tuple[int, int], _Reader] = {}  # by user and conversation

    def close(self) -> None:
        pass

    # -- commit

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        if self.shared and batch.msgids is not None:  # other nodes give msgids, too
            batch.begin_anew(self.last_msgid, batch.now_ms)
        batch.store_runs(lambda run: self._store_run(run, batch.now_ms))
        for drafts, change in batch.steps():
            for draft in drafts:
                self._store(draft, lambda draft: permitted(draft, self, batch.now_ms))
                self._note_version(draft)
            if change is not None:
                self._change(change, batch.now_ms)
                if change.draft is not None:
                    self._note_version(change.draft)
        for (device, conversation), seq in batch.cursors.items():
            self._move_cursor(device, conversation, seq)
        for device in batch.seen:
            self._devices[device].last_seen_ms = batch.now_ms
        for user, name, client in batch.newcomers:
            if self._device(user, name) is None:
                self._add_device(user, name, client, batch.now_ms)
        done(None)

    def _store(self, draft: Draft, may: Callable[[Draft], bool]) -> None:
        if self._append(draft, may) and draft.device in self._devices:
            device = self._devices[draft.device]
            device.last_seqid = max(device.last_seqid, draft.seqid)

    def _store_run(self, run: DraftRun, now_ms: int) -> bool:
        known = any((run.device, seqid) in self._requests for seqid in run.seqids)
        if known or len(set(run.seqids)) < len(run) or not permitted(run, self, now_ms):
            return False
        log = self._logs.get(run.conversation)
        run.place(log.last_seq + 1 if log else 1)
        for draft, msgid in zip(run.drafts(), run.msgids, strict=True):
            draft.msgid = msgid
            self._store(draft, lambda _: True)
        return True

    def _note_version(self, draft: Draft) -> None:
        if self.shared and draft.conversation in self._groups:
            draft.group_version = self._groups[draft.conversation].version

    def _change(self, change: Change, now_ms: int) -> None:
        def carry_out(_: Draft | None = None) -> bool:
            agreed = decide(change, self, now_ms)
            for effect in change.effects if agreed else ():
                self._carry_out(effect)
            return agreed

        if change.draft is None:
            carry_out()
        else:
            self._store(change.draft, carry_out)

    def _carry_out(self, effect: Effect) -> None:  # noqa: C901, PLR0912  # a table
        match effect:
            case PutGroup(group):
                self._groups[group.conversation] = group
            case PutMembers(conversation, users):
                log = self._logs.get(conversation)
                for user in users:
                    if self._put_member(Member(conversation, user, *effect[2:])):
                        self._move_read(user, conversation, log.last_seq if log else 0)
            case EndMembers(conversation, users, through):
                for user in users:
                    self._end_member(conversation, user, through)
            case PutJoinRequest(request):
                self._join_requests[request.conversation, request.user] = request
            case DropJoinRequest(conversation, user):
                self._join_requests.pop((conversation, user), None)
            case PutContact(contact):
                self._put_contact(contact)
            case Append(draft):
                self._store(draft, lambda _: True)
            case Rewrite(msgid, record):
                self._rewrite(msgid, record)
            case NoteEdit(msgid, edit):
                self._edits.setdefault(msgid, []).append(edit)
            case MoveRead(user, conversation, seq):
                self._move_read(user, conversation, seq)
            case HideMessages(user, conversation, seqs, through):
                self._hide(self._reader(user, conversation), seqs, through)
            case KickDevice(device, at_ms):
                self._devices[device].kicked_ms = max(at_ms, self._devices[device].kicked_ms)

    def _reader(self, user: int, conversation: int) -> _Reader:
        return self._readers.setdefault((user, conversation), _Reader())

    def _move_read(self, user: int, conversation: int, seq: int) -> None:
        reader = self._reader(user, conversation)
        reader.read_seq = max(seq, reader.read_seq)

    def _hide(self, reader: _Reader, seqs: Sequence[int], through: int) -> None:
        reader.cleared_seq = max(through, reader.cleared_seq)
        reader.hidden = {seq for seq in reader.hidden.union(seqs) if seq > reader.cleared_seq}

    # -- what a user sees

    def _visible(self, user: int, conversation: int) -> Spans:
        cleared_seq = self._reader(user, conversation).cleared_seq
        if conversation < GROUPS_END:
            return visible_spans(self._times(conversation, user), cleared_seq)
        return ((cleared_seq, OPEN),) if user in single_members(conversation) else ()

    async def visible(self, user: int, conversation: int) -> Spans:
        return self._visible(user, conversation)

    async def hidden(self, user: int, conversation: int, after: int, through: int) -> frozenset[int]:
        return frozenset(seq for seq in self._hidden(user, conversation) if after < seq <= through)

    def _hidden(self, user: int, conversation: int) -> set[int]:
        """Without those that were cut since."""
        log = self._logs.get(conversation)
        return {seq for seq in self._reader(user, conversation).hidden if log and seq in log.messages}

    def _end(self, user: int, conversation: int) -> tuple[int, int]:
        """(msgid, seq) of the end of the log for this user: where he left, if he did.

        The msgid is 0 if that message was cut, and the log goes on.
        """
        log = self._logs[conversation]
        if conversation >= GROUPS_END or (conversation, user) in self._members:
            return log.last_msgid, log.last_seq
        seq = last_visible(visible_spans(self._times(conversation, user), 0), log.last_seq)
        if seq == log.last_seq:
            return log.last_msgid, seq
        return log.messages[seq].msgid if seq in log.messages else 0, seq

    def _conversations(self, user: int) -> list[tuple[int, int]]:
        """(last msgid, conversation), from old activity to new."""
        mine = (
            conversation
            for conversation in self._logs
            if (self._times(conversation, user) if conversation < GROUPS_END else user in single_members(conversation))
        )
        return sorted((self._end(user, conversation)[0], conversation) for conversation in mine)

    async def caller(self, tenant: int, user: str, device: str) -> Caller | None:
        account = await self._accounts.user(tenant, user)
        if account is None:
            return None
        has_conversations = bool(self._conversations(account.id) or await self.groups_of(account.id))
        known = self._device(account.id, device)
        found = await self.device(account.id, device)
        return Caller(account, found, known.client if known is not None else "", has_conversations)

    async def owed(self, user: int, device: int) -> Sequence[int]:
        return [c for _, c in self._conversations(user) if self._first_owed(user, device, c) < self._logs[c].last_seq]

    def _first_owed(self, user: int, device: int, conversation: int) -> int:
        """The seq before the first one that this device is owed; the last seq if there is none."""
        last_seq = self._logs[conversation].last_seq
        owed = next_span(self._visible(user, conversation), self._cursor(device, conversation))
        return min(owed[0], last_seq) if owed else last_seq

    async def position(self, user: int, device: int, conversation: int) -> Position:
        delivered = max((self._cursor(d.id, conversation) for d in self._devices_of(user)), default=0)
        return Position(
            cursor=self._cursor(device, conversation),
            delivered=delivered,
            visible=self._visible(user, conversation),
            hides=bool(self._hidden(user, conversation)),
        )

    async def read_seq(self, user: int, conversation: int) -> int:
        return self._reader(user, conversation).read_seq

    async def read_marks(self, conversation: int, seq: int, after: int, limit: int) -> ReadMarks:
        log = self._logs.get(conversation)
        sender = log.messages[seq].sender if log and seq in log.messages else 0
        could = [m.user for m in self._present(conversation) if m.after_seq < seq and m.user != sender]
        have = [user for user in could if self._reader(user, conversation).read_seq >= seq]
        page = [(user, await self._name(user)) for user in have if user > after]
        return ReadMarks(len(have), len(could), page[:limit])

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        places = reversed(self._conversations(user))
        page = [conversation for msgid, conversation in places if before is None or (msgid, conversation) < before]
        return [await self._summary(user, device, conversation) for conversation in page[:limit]]

    async def _summary(self, user: int, device: int, conversation: int) -> Summary:
        log, reader = self._logs[conversation], self._reader(user, conversation)
        visible = self._visible(user, conversation)
        last_msgid, last_seq = self._end(user, conversation)
        group = self._groups.get(conversation)
        peer = peer_of(conversation, user)
        return Summary(
            conversation=conversation,
            peer=group.id if group else await self._name(peer),
            last_seq=last_seq,
            acked_seq=self._cursor(device, conversation),
            read_seq=reader.read_seq,
            peer_read_seq=0 if group else self._reader(peer, conversation).read_seq,
            unread=log.unread(user, visible, reader.read_seq),
            last_msgid=last_msgid,
            last=self._last_record(log, reader, last_visible(visible, log.last_seq)),
            name=group.name if group else "",
            left=group is not None and await self.member(conversation, user) is None,
        )

    def _last_record(self, log: Conversation, reader: _Reader, seq: int) -> bytes:
        if seq not in log.messages:
            return b""
        record = log.messages[seq].record
        return codec.tombstone(record) if seq in reader.hidden else record

    # -- search

    async def search(self, user: int, query: Query, limit: int) -> tuple[Sequence[Match], int]:
        logs = (self._logs[conversation] for _, conversation in self._conversations(user))
        msgids = (message.msgid for log in logs for message in log.messages.values() if message.msgid < query.before_msgid)
        return await Search(self, user, query).run(sorted(msgids, reverse=True), limit)

    async def index(self, limit: int) -> int:  # noqa: ARG002  # every search looks at everything
        return 0

    # -- retention

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        retention = {tenant.id: tenant.retention_days for tenant in await self._accounts.tenants()}
        spans: list[Span] = []
        for conversation, log in sorted(self._logs.items()):
            days = retention[log.tenant]
            if conversation > after and days != FOREVER and len(spans) < limit:
                spans.append(self._span(conversation, log, days, unseen_since_ms))
        return spans

    def _span(self, conversation: int, log: Conversation, retention_days: int, unseen_since_ms: int) -> Span:
        if conversation < GROUPS_END:
            members = {user for of, user in self._members if of == conversation}
            readers = self._ever_members(conversation)
        else:
            members = readers = set(single_members(conversation))
        alive = [d for user in readers for d in self._devices_of(user) if d.last_seen_ms >= unseen_since_ms]
        return Span(
            conversation=conversation,
            retention_days=retention_days,
            first_seq=min(log.messages, default=log.last_seq + 1),
            last_seq=log.last_seq,
            acked_by_all=min((self._first_owed(d.user, d.id, conversation) for d in alive), default=log.last_seq),
            everyone_has_device=all(self._devices_of(user) for user in members),
        )
