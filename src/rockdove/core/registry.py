"""The live sessions of this node, by user, device and group (protocol §1)."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rockdove.core.session import Session


class Inbox:
    """One user's live sessions, at most one per device, with what they share."""

    __slots__ = ("delivered", "groups", "name", "seated", "seatings", "sessions", "user")

    def __init__(self, user: int, name: str) -> None:
        self.user = user
        self.name = name
        self.sessions: list[Session] = []
        self.delivered: dict[int, int] = {}  # by conversation: up to where somebody was told that this user has it
        self.groups: set[int] = set()  # that he is a member of
        self.seated = False  # whether `groups` holds all of them
        self.seatings = 0  # how often he came into a group or went; who reads the store meanwhile reads it again


class Registry:
    """Finds sessions. A session that was replaced can no longer remove its successor."""

    __slots__ = ("_groups", "_inboxes", "on_change")

    def __init__(self) -> None:
        self._inboxes: dict[int, Inbox] = {}
        self._groups: dict[int, dict[int, Inbox]] = {}  # by conversation, by user: who is here
        self.on_change: Callable[[int], None] = lambda _: None  # a session of this user came or went

    def __len__(self) -> int:
        return sum(len(inbox.sessions) for inbox in self._inboxes.values())

    def __iter__(self) -> Iterator["Session"]:
        for inbox in list(self._inboxes.values()):
            yield from list(inbox.sessions)

    def sessions(self, user: int) -> list["Session"]:
        """The user's live sessions."""
        inbox = self._inboxes.get(user)
        return inbox.sessions if inbox is not None else []

    def of_device(self, user: int, device_name: str) -> "Session | None":
        """The session of that device, also one that is ending and has not been told yet."""
        for session in self.sessions(user):
            if session.device_name == device_name:
                return session
        return None

    def add(self, session: "Session", user: int, name: str) -> Inbox:
        """Make a logged-in session known."""
        inbox = self._inboxes.get(user)
        if inbox is None:
            inbox = self._inboxes[user] = Inbox(user, name)
        inbox.sessions.append(session)
        self.on_change(user)
        return inbox

    def remove(self, session: "Session", user: int) -> None:
        """Forget this very session, if it is known."""
        inbox = self._inboxes.get(user)
        if inbox is None or session not in inbox.sessions:
            return
        inbox.sessions.remove(session)
        if not inbox.sessions:
            del self._inboxes[user]
            for conversation in inbox.groups:
                self._unseat(user, conversation)
        self.on_change(user)

    # -- groups

    def group(self, conversation: int) -> Collection[Inbox]:
        """The members who are here."""
        return self._groups.get(conversation, {}).values()

    def seat(self, inbox: Inbox, conversations: Iterable[int]) -> None:
        """These are all the groups of a user who has just come."""
        inbox.seated = True
        inbox.groups.update(conversations)
        if inbox.sessions:  # else he has gone again
            for conversation in inbox.groups:
                self._groups.setdefault(conversation, {})[inbox.user] = inbox

    def joined(self, user: int, conversation: int) -> bool:
        """The user has come into the group. False: that was known, or he is not here."""
        inbox = self._inboxes.get(user)
        if inbox is None or conversation in inbox.groups:
            return False
        inbox.seatings += 1
        inbox.groups.add(conversation)
        self._groups.setdefault(conversation, {})[user] = inbox
        return True

    def parted(self, user: int, conversation: int) -> None:
        """The user has gone out of it."""
        inbox = self._inboxes.get(user)
        if inbox is not None:
            inbox.seatings += 1
            inbox.groups.discard(conversation)
            self._unseat(user, conversation)

    def _unseat(self, user: int, conversation: int) -> None:
        here = self._groups.get(conversation)
        if here is not None and here.pop(user, None) is not None and not here:
            del self._groups[conversation]
