"""Logs in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rockdove.core.records import Draft, Earlier, Located, Outcome, Spans, Stored, counts
from rockdove.store.visibility import parts
from rockdove.wire import im_pb2 as pb


@dataclass
class Conversation:
    """One log."""

    tenant: int
    last_seq: int = 0
    last_msgid: int = 0
    messages: dict[int, Stored] = field(default_factory=dict)  # by seq, upwards
    uncounted: set[int] = field(default_factory=set)  # seqs of those that are never unread

    def unread(self, user: int, spans: Spans, read_seq: int) -> int:
        """How many messages of others beyond `read_seq` the user may see, without those that do not count."""
        return sum(
            message.sender != user and message.seq not in self.uncounted
            for after, through in parts(spans, read_seq, self.last_seq)
            for message in self.messages.values()
            if after < message.seq <= through
        )


@dataclass
class _Request:
    msgid: int
    seq: int
    digest: int
    cut: bool = False


class MemoryLogs:
    """All conversations, and what finds their messages again."""

    def __init__(self) -> None:
        self.last_msgid = 0
        self._logs: dict[int, Conversation] = {}
        self._places: dict[int, tuple[int, int]] = {}  # conversation and seq, by msgid; of those that were not cut
        self._edits: dict[int, list[int]] = {}  # msgids of the EDITs of a message
        self._requests: dict[tuple[int, int], _Request] = {}  # by device and seqid

    def _append(self, draft: Draft, may: Callable[[Draft], bool]) -> bool:
        """Give the draft its place, unless it is a retry or a conflict, or `may` says no; say whether it has one."""
        key = (draft.device, draft.seqid)
        earlier = self._requests.get(key)
        if earlier is not None:
            draft.msgid, draft.seq = earlier.msgid, earlier.seq
            draft.outcome = Outcome.RETRY if earlier.digest == draft.digest else Outcome.CONFLICT
            return False
        if not may(draft):
            return False
        log = self._logs.setdefault(draft.conversation, Conversation(draft.tenant))
        log.last_seq += 1
        log.last_msgid = self.last_msgid = draft.msgid
        draft.place(log.last_seq)
        log.messages[draft.seq] = Stored(draft.seq, draft.msgid, draft.sender, draft.device, draft.record)
        self._places[draft.msgid] = draft.conversation, draft.seq
        if not counts(draft.record):
            log.uncounted.add(draft.seq)
        if draft.seqid:
            self._requests[key] = _Request(draft.msgid, draft.seq, draft.digest)
        return True

    def _rewrite(self, msgid: int, record: bytes) -> None:
        if msgid in self._places:
            conversation, seq = self._places[msgid]
            log = self._logs[conversation]
            log.messages[seq] = log.messages[seq]._replace(record=record)
            if pb.Message.FromString(record).removed:
                log.uncounted.add(seq)

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

    async def located(self, msgid: int) -> Located | None:
        if msgid not in self._places:
            return None
        conversation, seq = self._places[msgid]
        message = self._logs[conversation].messages[seq]
        return Located(conversation, seq, message.sender, message.record)

    async def edits(self, msgid: int) -> Sequence[int]:
        return list(self._edits.get(msgid, ()))

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        log = self._logs[conversation]
        gone = [m for m in log.messages.values() if m.seq <= through and m.msgid < older_than][:limit]
        for message in gone:
            del log.messages[message.seq]
            del self._places[message.msgid]
            self._edits.pop(message.msgid, None)
        msgids = {message.msgid for message in gone}
        for request in self._requests.values():
            request.cut = request.cut or request.msgid in msgids
        return len(gone)

    async def forget_requests(self, older_than: int, limit: int) -> None:
        old = [key for key, request in self._requests.items() if request.cut and request.msgid < older_than]
        for key in old[:limit]:
            del self._requests[key]
