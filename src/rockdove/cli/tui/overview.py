"""The list of conversations, kept up to date between two times of asking for it."""

from collections.abc import Iterable
from dataclasses import replace

from rockdove.client import Conversation, Message, Notice, Peer


class Overview:
    """`news` says what the server's next list will say, as far as that can be known from a message."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._items: dict[Peer, Conversation] = {}
        self._read: dict[Peer, int] = {}  # up to where the user has read, also what the server does not know yet

    def __contains__(self, peer: Peer) -> bool:
        return peer in self._items

    def get(self, peer: Peer) -> Conversation | None:
        """One of them."""
        return self._items.get(peer)

    def items(self) -> list[Conversation]:
        """All, the newest activity first."""
        return sorted(self._items.values(), key=lambda each: -(each.last.timestamp_ms if each.last else 0))

    def replace(self, items: Iterable[Conversation]) -> None:
        """What the server says."""
        self._items = {each.peer: each for each in items}
        for peer, seq in self._read.items():
            self.read(peer, seq)

    def add(self, peer: Peer) -> None:
        """One in which nothing was said yet."""
        self._items.setdefault(peer, Conversation(peer, 0, 0, 0, 0, 0, None))

    def news(self, message: Message) -> None:
        """A message was received or sent."""
        self.add(message.peer)
        known = self._items[message.peer]
        if message.seq <= known.last_seq:
            return
        counts = message.sender != self._me and not message.is_change and not isinstance(message.content, Notice)
        self._items[message.peer] = replace(
            known,
            last_seq=message.seq,
            last=known.last if message.is_change and known.last else message,
            unread=known.unread + counts,
        )

    def read(self, peer: Peer, seq: int) -> None:
        """The user has read up to `seq`."""
        self._read[peer] = max(seq, self._read.get(peer, 0))
        known = self._items.get(peer)
        if known and known.unread and seq >= known.last_seq:
            self._items[peer] = replace(known, unread=0)
