"""The live sessions of this node, by user, device and group (protocol §1)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Final

from rockdove.core.empty import EMPTY
from rockdove.core.topics import group_topic, user_topic

if TYPE_CHECKING:
    from rockdove.core.session import Session

_NONE: Final = frozenset[int]()  # an empty set of one's own takes 200 bytes


class Inbox:
    """One user's live sessions, at most one per device, with what they share."""

    __slots__ = ("delivered", "groups", "name", "seated", "seatings", "sessions", "user")

    def __init__(self, user: int, name: str) -> None:
        self.user = user
        self.name = name
        self.sessions: list[Session] = []
        self.delivered: dict[int, int] = EMPTY  # by conversation: up to where somebody was told that this user has it
        self.groups = _NONE  # that he is a member of
        self.seated = False  # whether `groups` holds all of them
        self.seatings = 0  # how often he came into a group or went; who reads the store meanwhile reads it again

    def note_delivered(self, conversation: int, seq: int) -> None:
        """The user has the conversation up to there, and somebody was told."""
        if self.delivered is EMPTY:
            self.delivered = {}
        self.delivered[conversation] = max(seq, self.delivered.get(conversation, 0))


class Registry:
    """Finds sessions. A session that was replaced can no longer remove its successor."""

    __slots__ = (
        "_connects",
        "_count",
        "_groups",
        "_newest",
        "_opening",
        "_versions",
        "inboxes",
        "on_change",
        "on_interest",
    )

    def __init__(self) -> None:
        self._count = 0  # sessions
        self._connects = count(1)
        self._opening: dict[tuple[int, str], Session] = {}  # by user and device: the newest that logs in
        self.inboxes: dict[int, Inbox] = {}  # by user: of those who are here
        self._groups: dict[int, dict[int, Inbox]] = {}  # by conversation, by user: who is here
        self._versions: dict[int, int] = {}  # of these groups: `_groups` is right as of that Group.version
        self._newest: dict[int, int] = {}  # of these groups: the highest version that was heard of
        self.on_change: Callable[[int], None] = lambda _: None  # a session of this user came or went
        self.on_interest: Callable[[str, bool], None] = lambda *_: None  # there is now, or no more, somebody here

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator["Session"]:
        for inbox in list(self.inboxes.values()):
            yield from list(inbox.sessions)

    def sessions(self, user: int) -> list["Session"]:
        """The user's live sessions."""
        inbox = self.inboxes.get(user)
        return inbox.sessions if inbox is not None else []

    def of_device(self, user: int, device_name: str) -> "Session | None":
        """The session of that device, also one that is ending and has not been told yet."""
        for session in self.sessions(user):
            if session.device_name == device_name:
                return session
        return None

    # -- logins under way

    def next_connect(self) -> int:
        """A number for a Connect that has come: later ones have higher numbers."""
        return next(self._connects)

    def opens(self, session: "Session") -> None:
        """The session is about to have its device."""
        self._opening[session.user, session.device_name] = session

    def opens_no_more(self, session: "Session") -> None:
        """It has it, or never will."""
        if self._opening.get((session.user, session.device_name)) is session:
            del self._opening[session.user, session.device_name]

    def holders(self, user: int, device_name: str) -> list["Session"]:
        """The session that has the device, and the one that is about to, unless they are ending."""
        found = self.of_device(user, device_name), self._opening.get((user, device_name))
        return [session for session in found if session is not None and (session.live or session.arriving)]

    # -- sessions

    def add(self, session: "Session", user: int, name: str) -> Inbox:
        """Make a logged-in session known."""
        inbox = self.inboxes.get(user)
        if inbox is None:
            inbox = self.inboxes[user] = Inbox(user, name)
            self.on_interest(user_topic(user), True)
        inbox.sessions.append(session)
        self._count += 1
        self.on_change(user)
        return inbox

    def remove(self, session: "Session", user: int) -> None:
        """Forget this very session, if it is known."""
        inbox = self.inboxes.get(user)
        if inbox is None or session not in inbox.sessions:
            return
        inbox.sessions.remove(session)
        self._count -= 1
        if not inbox.sessions:
            del self.inboxes[user]
            self.on_interest(user_topic(user), False)
            for conversation in inbox.groups:
                self._unseat(user, conversation)
        self.on_change(user)

    # -- groups

    def group(self, conversation: int) -> Collection[Inbox]:
        """The members who are here."""
        return self._groups.get(conversation, {}).values()

    def version(self, conversation: int) -> int:
        """As of which version of the group `group` is right; 0 if nobody is here."""
        return self._versions.get(conversation, 0)

    def advance(self, conversation: int, version: int) -> bool:
        """A change has made this version of a group. False: one before it was missed, and who is here is not known."""
        known = self._versions.get(conversation, version)
        if version == known + 1:
            self._versions[conversation] = version
        if conversation in self._newest:
            self._newest[conversation] = max(version, self._newest[conversation])
        return version <= known + 1

    def overtaken(self, conversation: int, version: int) -> bool:
        """Whether later news of the group came before those of this version."""
        return 0 < version < self._newest.get(conversation, 0)

    def reread(self, conversation: int, version: int) -> None:
        """Who of the members is here was read from the store, when the group had this version."""
        if conversation in self._versions:
            self._versions[conversation] = max(version, self._versions[conversation])
            self._newest[conversation] = max(version, self._newest[conversation])

    def seat(self, inbox: Inbox, groups: Iterable[tuple[int, int]]) -> Collection[int]:
        """These are all the groups of a user, with their versions. Returns those that he was thought to be in, and is not."""
        versions = dict(groups)
        lost = inbox.groups.difference(versions)
        for conversation in lost:
            self.parted((inbox.user,), conversation)
        inbox.seated = True
        if versions:
            inbox.groups = frozenset(versions)
        if inbox.sessions:  # else he has gone again
            for conversation, version in versions.items():
                self._seat(inbox, conversation, version)
        return lost

    def joined(self, users: Iterable[int], conversation: int, version: int) -> Sequence[int]:
        """These users have come into the group. Returns those who are here, and of whom that was not known."""
        new = []
        for user in users:
            inbox = self.inboxes.get(user)
            if inbox is not None and conversation not in inbox.groups:
                inbox.seatings += 1
                inbox.groups |= {conversation}
                self._seat(inbox, conversation, version)
                new.append(user)
        return new

    def parted(self, users: Iterable[int], conversation: int) -> None:
        """These users have gone out of it."""
        for user in users:
            inbox = self.inboxes.get(user)
            if inbox is not None:
                inbox.seatings += 1
                inbox.groups -= {conversation}
                self._unseat(user, conversation)

    def _seat(self, inbox: Inbox, conversation: int, version: int) -> None:
        here = self._groups.get(conversation)
        if here is None:
            here = self._groups[conversation] = {}
            self._versions[conversation] = self._newest[conversation] = version
            self.on_interest(group_topic(conversation), True)
        here[inbox.user] = inbox
        self._versions[conversation] = min(version, self._versions[conversation])  # of what is older, more may be missing

    def _unseat(self, user: int, conversation: int) -> None:
        here = self._groups.get(conversation)
        if here is not None and here.pop(user, None) is not None and not here:
            del self._groups[conversation], self._versions[conversation], self._newest[conversation]
            self.on_interest(group_topic(conversation), False)
