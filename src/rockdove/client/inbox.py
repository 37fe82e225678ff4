"""Messages on their way to the application: each once, those of one conversation in order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rockdove.client.events import Event, MessageReceived, MessagesMissing
from rockdove.client.message import Message
from rockdove.client.peer import Key, peer_of
from rockdove.client.storage import Place, Storage
from rockdove.wire.limits import PAGE_MAX

CAPACITY: Final = 1024  # messages that the application has not acknowledged; the server's window, if larger


class Log:
    """What this device knows of one conversation's log."""

    __slots__ = ("acked", "ahead", "begun", "own", "taken")

    def __init__(self, acked: int | None = None, own: Iterable[tuple[int, int]] = ()) -> None:
        self.begun = acked is not None  # False: nothing was received yet, so the log may begin for us at any seq
        self.acked = acked or 0  # all up to here is done with
        self.taken = self.acked  # all up to here was handed to the application, or is our own
        self.own = list(own)  # what this device sent itself, above `acked`: (first, last), upwards
        self.ahead: dict[int, Message] = {}  # came while something before them is missing

    def begin(self, position: int) -> None:
        """The server pushes from here on: everything up to `position` is settled (protocol §5, a new device's start)."""
        self.begun = True
        self.acked = self.taken = self._past_own(position)

    def advance(self, seq: int) -> None:
        """Everything up to `seq` was handed over."""
        self.taken = self._past_own(seq)

    def acknowledge(self, seq: int) -> None:
        """The application is done with everything up to `seq`."""
        self.acked = self._past_own(seq)
        self.own = [span for span in self.own if span[1] > self.acked]

    def add_own(self, seq: int) -> None:
        """This device sent `seq` itself, so it is never pushed to it (protocol §5)."""
        if self.begun and seq <= self.taken:
            return
        before = next((span for span in self.own if span[1] == seq - 1), None)
        after = next((span for span in self.own if span[0] == seq + 1), None)
        rest = [span for span in self.own if span not in (before, after)]
        self.own = sorted([*rest, (before[0] if before else seq, after[1] if after else seq)])
        if self.begun:
            self.advance(self.taken)
            self.acknowledge(self.acked)

    def first_ahead(self) -> int:
        """The lowest seq that waits for the gap before it to be closed, 0 if none does."""
        self.ahead = {seq: message for seq, message in self.ahead.items() if seq > self.taken}
        return min(self.ahead, default=0)

    def place(self, key: Key) -> Place:
        """What is to be remembered of it."""
        return Place(key, self.acked if self.begun else None, tuple(self.own))

    def _past_own(self, position: int) -> int:
        for first, last in self.own:
            if first <= position + 1:
                position = max(position, last)
        return position


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages to be pulled: those with seq > `after`, `limit` of them."""

    key: Key
    after: int
    limit: int


class Inbox:
    """Turns pushes, which may come twice or with a gap, into an order without either; remembers what to acknowledge."""

    def __init__(self, storage: Storage, emit: Callable[[Event], None]) -> None:
        self._storage = storage
        self._emit = emit
        self._logs = {place.key: Log(place.acked, place.own) for place in storage.places()}
        self._held: dict[int, int] = {}  # msgid -> epoch, of what the application has not acknowledged
        self._epoch = storage.epoch()
        self._acks: dict[Key, int] = {}  # conversation -> msgid to acknowledge
        self._moved: set[Key] = set()  # conversations whose place is not stored yet
        self._gaps: dict[Key, None] = {}  # conversations in need of repair, oldest first
        self.capacity = CAPACITY

    @property
    def _room(self) -> int:
        return self.capacity - len(self._held) - sum(len(self._logs[key].ahead) for key in self._gaps)

    # ---------------------------------------------------------------- what comes in

    def offer(self, message: Message) -> None:
        """Take a push: hand it over, keep it until the gap before it is closed, or drop it as a double."""
        if not message.seq:  # transient: in no log, wants no ack
            self._emit(MessageReceived(message))
            return
        log = self._logs.setdefault(message.key, Log())
        if not log.begun:
            log.begin(message.seq - 1)
        if message.seq <= log.acked:
            self._acks[message.key] = max(self._acks.get(message.key, 0), message.msgid)
        elif message.seq > log.taken and self._room > 0:  # no room: it comes again within 30 s (protocol §5 Ack)
            log.ahead[message.seq] = message
            self._drain(log)
            if log.ahead:
                self._gaps[message.key] = None

    def sent(self, key: Key, seq: int) -> Place | None:
        """This device's own message has its place in the log; returns what is to be stored of it."""
        if not seq:
            return None
        log = self._logs.setdefault(key, Log())
        log.add_own(seq)
        self._drain(log)
        return log.place(key)

    def _drain(self, log: Log) -> None:
        while message := log.ahead.pop(log.taken + 1, None):
            self._hand_over(log, message)

    def _hand_over(self, log: Log, message: Message) -> None:
        log.advance(message.seq)
        known = message.msgid in self._held
        self._held[message.msgid] = self._epoch
        if not known:  # else the application has it from before the server's store was restored
            self._emit(MessageReceived(message))

    # ---------------------------------------------------------------- gaps

    def gap(self, unsettled: Callable[[Key], bool]) -> Gap | None:
        """What to pull next. A conversation with an unsettled message of ours waits: that may be the missing one."""
        for key in list(self._gaps):
            log = self._logs[key]
            first = log.first_ahead()
            if not first:
                del self._gaps[key]
            elif not unsettled(key) and len(self._held) < self.capacity:
                return Gap(key, log.taken, min(first - log.taken - 1, PAGE_MAX))
        return None

    def pulled(self, gap: Gap, messages: Sequence[Message]) -> None:
        """The answer. What the server no longer has is announced to the application, never papered over (protocol §5)."""
        log = self._logs[gap.key]
        log.ahead.update((message.seq, message) for message in messages if message.seq > log.taken)
        through = max((message.seq for message in messages), default=log.first_ahead())
        while log.taken < through and (first := log.first_ahead()):
            if log.taken + 1 < first:
                self._emit(MessagesMissing(peer_of(*gap.key), log.taken, first))
                log.advance(first - 1)
            self._drain(log)

    # ---------------------------------------------------------------- acknowledging

    def acknowledge(self, message: Message) -> None:
        """The application is done with `message`, and with all earlier ones of the conversation."""
        if self._held.pop(message.msgid, None) != self._epoch:
            return  # transient, done before, or of a store that is no more
        log = self._logs[message.key]
        if message.seq > log.acked:
            log.acknowledge(message.seq)
            self._moved.add(message.key)
            self._acks[message.key] = message.msgid

    def acks(self) -> list[int]:
        """The msgids to acknowledge now, one per conversation. The places are on disk when this returns."""
        if self._moved:
            # First to disk, then to the server: it never pushes again what it has the ack of.
            self._storage.save(self._logs[key].place(key) for key in self._moved)
            self._moved.clear()
        msgids = list(self._acks.values())
        self._acks.clear()
        return msgids

    # ---------------------------------------------------------------- the connection

    def login(self, epoch: int, window: int) -> bool:
        """Returns whether the server's store is another one than before (protocol §3 epoch): all places are void then."""
        self.capacity = max(CAPACITY, window)
        if epoch == self._epoch:
            return False
        changed = self._epoch != 0
        if changed:
            self._logs.clear()
            self._moved.clear()
        self._storage.set_epoch(epoch)
        self._epoch = epoch
        return changed

    def lost(self) -> None:
        """The next connection begins with everything unacknowledged, so what waited behind a gap comes again."""
        self._gaps.clear()
        self._acks.clear()
        for log in self._logs.values():
            log.ahead.clear()
