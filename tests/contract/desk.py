"""A store with two users, ready for examples."""

from asyncio import run
from typing import Final

from rockdove.core.msgid import first_msgid
from rockdove.core.ports import Store
from rockdove.core.records import Batch, Draft, Effect, User, single_conversation
from tests.contract.backends import Backend
from tests.contract.changes import change_of
from tests.contract.machine import EVERYTHING, START_MS, commit
from tests.contract.model import draft_of

STEP: Final = 1024  # from one msgid to the next


class Desk:
    """A store with two users, of whom one has a phone and a laptop."""

    def __init__(self, backend: Backend, writer: str = "alice", reader: str = "bob") -> None:
        self.backend = backend
        self.writer, self.reader = self._user(writer), self._user(reader)
        self.talk = single_conversation(self.writer.id, self.reader.id)
        self.phone, self.laptop = self.device("phone"), self.device("laptop")
        self.msgid = first_msgid(START_MS)

    @property
    def store(self) -> Store:
        return self.backend.store

    def _user(self, name: str) -> User:
        for tenant in run(self.backend.accounts.tenants()):
            if user := run(self.backend.accounts.user(tenant.id, name)):
                return user
        raise KeyError(name)

    def device(self, name: str) -> int:
        """The id of the writer's device."""
        return run(self.store.open_device(self.writer.id, name, "test", START_MS)).id

    def kicked_ms(self, name: str) -> int:
        """When the writer's device of that name was kicked, as a login is told."""
        caller = run(self.store.caller(self.writer.tenant, self.writer.name, name))
        assert caller is not None
        return caller.kicked_ms

    def unread(self) -> int:
        """Of the reader."""
        (summary,) = run(self.store.summaries(self.reader.id, 0, None, EVERYTHING))
        return summary.unread

    def change(self, *effects: Effect) -> None:
        change = change_of(*effects)
        batch = Batch()
        batch.changes.append((0, change))
        assert commit(self.store, batch) is None
        assert change.refusal is None

    def draft(self, seqid: int, words: str = "hello") -> Draft:
        """A message from the writer's phone."""
        self.msgid += STEP
        return draft_of(self.writer, self.phone, seqid, self.reader, words, self.msgid)

    def commit(self, *drafts: Draft) -> Exception | None:
        batch = Batch()
        batch.now_ms = START_MS
        batch.messages += drafts
        return commit(self.store, batch)

    def send(self, seqid: int, words: str = "hello") -> Draft:
        draft = self.draft(seqid, words)
        assert self.commit(draft) is None
        return draft

    def ack(self, device: int, seq: int) -> None:
        batch = Batch()
        batch.cursors[device, self.talk] = seq
        assert commit(self.store, batch) is None

    def seqs(self) -> list[int]:
        return [message.seq for message in run(self.store.messages(self.talk, 0, 0, EVERYTHING))]

    def cut(self, through: int) -> None:
        """Cut to that seq. What is too new to be cut yet may be cut after spans were looked at, as is done regularly."""
        for _ in range(100):
            run(self.store.cut(self.talk, through, 1 << 62, EVERYTHING))
            (span,) = run(self.store.spans(0, 0, EVERYTHING))
            if span.first_seq == through + 1 and span.last_seq >= through:
                return
        raise AssertionError("it is never cut")
