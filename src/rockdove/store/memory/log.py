"""Logs, cursors and devices in memory, for tests and the simulator: the shortest meaning of the port."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from rockdove.core.ports import Accounts
from rockdove.core.records import (
    FOREVER,
    Batch,
    Device,
    Draft,
    Earlier,
    Outcome,
    Position,
    Span,
    Stored,
    Summary,
    peer_of,
    single_members,
)


@dataclass
class _Log:
    tenant: int
    last_seq: int = 0
    last_msgid: int = 0
    messages: dict[int, Stored] = field(default_factory=dict)  # by seq, upwards


@dataclass
class _Request:
    msgid: int
    seq: int
    digest: int
    cut: bool = False


class MemoryStore:
    """`core.ports.Store` that forgets everything with the process. `accounts` are those of the same users."""

    def __init__(self, accounts: Accounts, epoch: int = 1) -> None:
        self.epoch = epoch
        self.last_msgid = 0
        self._accounts = accounts
        self._logs: dict[int, _Log] = {}
        self._requests: dict[tuple[int, int], _Request] = {}  # by device and seqid
        self._devices: dict[tuple[int, str], Device] = {}  # by user and name
        self._seen_ms: dict[int, int] = {}  # by device
        self._cursors: dict[tuple[int, int], int] = {}  # by device and conversation
        self._reads: dict[tuple[int, int], int] = {}  # by user and conversation

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        for draft in batch.messages:
            self._store(draft)
        for key, seq in batch.cursors.items():
            self._cursors[key] = max(seq, self._cursors.get(key, 0))
        for key, seq in batch.reads.items():
            self._reads[key] = max(seq, self._reads.get(key, 0))
        for device in batch.seen:
            self._seen_ms[device] = batch.now_ms
        done(None)

    def _store(self, draft: Draft) -> None:
        key = (draft.device, draft.seqid)
        earlier = self._requests.get(key)
        if earlier is not None:
            draft.msgid, draft.seq = earlier.msgid, earlier.seq
            draft.outcome = Outcome.RETRY if earlier.digest == draft.digest else Outcome.CONFLICT
            return
        log = self._logs.setdefault(draft.conversation, _Log(draft.tenant))
        log.last_seq += 1
        log.last_msgid = self.last_msgid = draft.msgid
        draft.place(log.last_seq)
        log.messages[draft.seq] = Stored(draft.seq, draft.msgid, draft.sender, draft.device, draft.record)
        if draft.seqid:
            self._requests[key] = _Request(draft.msgid, draft.seq, draft.digest)
            for place, device in self._devices.items():
                if device.id == draft.device:
                    self._devices[place] = replace(device, last_seqid=max(device.last_seqid, draft.seqid))

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        log = self._logs.get(conversation)
        if log is None:
            return []
        return [m for m in log.messages.values() if m.seq > after and (not before or m.seq < before)][:limit]

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        log = self._logs.get(conversation)
        kept = await self.messages(conversation, 0, before, len(log.messages)) if log else []
        return kept[max(len(kept) - limit, 0) :]

    async def last_seq(self, conversation: int) -> int:
        log = self._logs.get(conversation)
        return log.last_seq if log else 0

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        request = self._requests.get((device, seqid))
        return Earlier(request.msgid, request.seq, request.digest) if request else None

    async def open_device(self, user: int, name: str, client: str, now_ms: int) -> Device:  # noqa: ARG002
        device = self._devices.get((user, name))
        if device is None:
            siblings = self._devices_of(user)
            device = self._devices[user, name] = Device(len(self._devices) + 1, 0)
            self._seen_ms[device.id] = now_ms
            for (sibling, conversation), seq in list(self._cursors.items()):
                if sibling in siblings:
                    key = (device.id, conversation)
                    self._cursors[key] = max(seq, self._cursors.get(key, 0))
        return device

    def _devices_of(self, user: int) -> list[int]:
        return [device.id for (owner, _), device in self._devices.items() if owner == user]

    def _conversations(self, user: int) -> list[int]:
        """From old activity to new."""
        mine = (conversation for conversation in self._logs if user in single_members(conversation))
        return sorted(mine, key=lambda conversation: self._logs[conversation].last_msgid)

    async def owed(self, user: int, device: int) -> Sequence[int]:
        return [c for c in self._conversations(user) if self._logs[c].last_seq > self._cursors.get((device, c), 0)]

    async def position(self, user: int, device: int, conversation: int) -> Position:
        delivered = max((self._cursors.get((d, conversation), 0) for d in self._devices_of(user)), default=0)
        return Position(self._cursors.get((device, conversation), 0), delivered)

    async def read_seq(self, user: int, conversation: int) -> int:
        return self._reads.get((user, conversation), 0)

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        places = [(self._logs[conversation].last_msgid, conversation) for conversation in self._conversations(user)]
        page = [place for place in reversed(places) if before is None or place < before][:limit]
        return [await self._summary(user, device, conversation) for _, conversation in page]

    async def _summary(self, user: int, device: int, conversation: int) -> Summary:
        log = self._logs[conversation]
        peer_id = peer_of(conversation, user)
        peer = await self._accounts.user_by_id(peer_id)
        assert peer is not None
        read_seq = self._reads.get((user, conversation), 0)
        last = log.messages.get(log.last_seq)
        return Summary(
            conversation=conversation,
            peer=peer.name,
            last_seq=log.last_seq,
            acked_seq=self._cursors.get((device, conversation), 0),
            read_seq=read_seq,
            peer_read_seq=self._reads.get((peer_id, conversation), 0),
            unread=sum(message.seq > read_seq and message.sender != user for message in log.messages.values()),
            last_msgid=log.last_msgid,
            last=last.record if last else b"",
        )

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        retention = {tenant.id: tenant.retention_days for tenant in await self._accounts.tenants()}
        spans: list[Span] = []
        for conversation, log in sorted(self._logs.items()):
            days = retention[log.tenant]
            if conversation > after and days != FOREVER and len(spans) < limit:
                spans.append(self._span(conversation, log, days, unseen_since_ms))
        return spans

    def _span(self, conversation: int, log: _Log, retention_days: int, unseen_since_ms: int) -> Span:
        devices = {user: self._devices_of(user) for user in single_members(conversation)}
        alive = [device for of_user in devices.values() for device in of_user if self._seen_ms[device] >= unseen_since_ms]
        return Span(
            conversation=conversation,
            retention_days=retention_days,
            first_seq=min(log.messages, default=log.last_seq + 1),
            last_seq=log.last_seq,
            acked_by_all=min((self._cursors.get((device, conversation), 0) for device in alive), default=log.last_seq),
            everyone_has_device=all(devices.values()),
        )

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        log = self._logs[conversation]
        gone = [m for m in log.messages.values() if m.seq <= through and m.msgid < older_than][:limit]
        for message in gone:
            del log.messages[message.seq]
        msgids = {message.msgid for message in gone}
        for request in self._requests.values():
            request.cut = request.cut or request.msgid in msgids
        return len(gone)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        old = [key for key, request in self._requests.items() if request.cut and request.msgid < older_than]
        for key in old[:limit]:
            del self._requests[key]

    def close(self) -> None:
        pass
