"""The live sessions of this node, by user and device (protocol §1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rockdove.core.session import Session


class Inbox:
    """One user's live sessions, at most one per device, with what they share."""

    __slots__ = ("delivered", "name", "sessions", "user")

    def __init__(self, user: int, name: str) -> None:
        self.user = user
        self.name = name
        self.sessions: list[Session] = []
        self.delivered: dict[int, int] = {}  # by conversation: up to where somebody was told that this user has it


class Registry:
    """Finds sessions. A session that was replaced can no longer remove its successor."""

    __slots__ = ("_inboxes",)

    def __init__(self) -> None:
        self._inboxes: dict[int, Inbox] = {}

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
        return inbox

    def remove(self, session: "Session", user: int) -> None:
        """Forget this very session, if it is known."""
        inbox = self._inboxes.get(user)
        if inbox is None or session not in inbox.sessions:
            return
        inbox.sessions.remove(session)
        if not inbox.sessions:
            del self._inboxes[user]
