"""What the server keeps: conversations, their logs, who has read what (protocol §6 Sync)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rockdove.client.asking import Ask, chunks, pages
from rockdove.client.content import Content, message_type
from rockdove.client.message import Conversation, Message, Sent, read_conversation, read_message
from rockdove.client.peer import Peer, key_of, wire_chat, wire_name
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import PAGE_MAX

_END: Final = (1 << 63) - 1  # above every seq
_DELETED_AT_ONCE: Final = 200  # messages


@dataclass(frozen=True, slots=True)
class Readers:
    """Who has read a message: `count` of the `total` members who could have, and names of the first of them."""

    count: int
    total: int
    users: tuple[str, ...]


class Archive:
    """Behind the Client's verbs of the same names, where they are explained."""

    def __init__(self, ask: Ask, me: str) -> None:
        self._ask = ask
        self._me = me

    async def history(self, peer: Peer, after: int, before: int, limit: int) -> list[Message]:
        """A range of a log."""
        if not after and not before:
            before = _END
        pull = pb.Pull(chat=wire_chat(peer), peer=wire_name(peer), after=after, before=before, limit=limit)
        pulled = pb.Pulled.FromString(await self._ask(pb.Sync(pull=pull)))
        return [read_message(each, self._me) for each in pulled.messages]

    async def conversations(self, page: int) -> AsyncIterator[Conversation]:
        """The list, page by page."""

        async def ask(after: str) -> tuple[Iterable[pb.Conversation], str]:
            query = pb.ListConversations(after=after, limit=page)
            answer = pb.Conversations.FromString(await self._ask(pb.Sync(conversations=query)))
            return answer.items, answer.next

        async for item in pages(ask):
            yield read_conversation(item, self._me)

    async def search(
        self, text: str, peer: Peer | None, sender: str, since_ms: int, until_ms: int, kinds: Iterable[type[Content]]
    ) -> AsyncIterator[Message]:
        """Full text, page by page."""
        query = pb.Search(text=text, since=since_ms, until=until_ms, types=map(message_type, kinds))  # type: ignore[arg-type]
        setattr(query, "from", sender)
        if peer is not None:
            query.chat, query.peer = wire_chat(peer), wire_name(peer)

        async def ask(after: str) -> tuple[Iterable[pb.Message], str]:
            query.after = after
            answer = pb.Found.FromString(await self._ask(pb.Sync(search=query)))
            return answer.messages, answer.next

        async for item in pages(ask):
            yield read_message(item, self._me)

    async def readers(self, message: Message | Sent, limit: int) -> Readers:
        """Counts, and as many names as are wanted."""
        query = pb.ListReaders(peer=wire_name(message.peer), seq=message.seq)
        users: list[str] = []
        while True:
            query.limit = max(1, min(limit - len(users), PAGE_MAX))
            answer = pb.Readers.FromString(await self._ask(pb.Sync(readers=query)))
            users += answer.users
            query.after = answer.next
            if not answer.next or len(users) >= limit:
                return Readers(answer.count, answer.total, tuple(users[:limit]))

    async def delete(self, messages: Sequence[Message | Sent]) -> None:
        """Conversation by conversation."""
        for _, group in groupby(sorted(messages, key=_place), lambda message: key_of(message.peer)):
            for some in chunks(group, _DELETED_AT_ONCE):
                await self._hide(some[0].peer, [message.seq for message in some], 0)

    async def clear(self, peer: Peer, through: int) -> None:
        """All up to there."""
        await self._hide(peer, (), through)

    async def _hide(self, peer: Peer, seqs: Sequence[int], through: int) -> None:
        await self._ask(pb.Sync(hide=pb.Hide(chat=wire_chat(peer), peer=wire_name(peer), seqs=seqs, through=through)))


def _place(message: Message | Sent) -> tuple[int, str, int]:
    return *key_of(message.peer), message.seq
