"""A good history of a group, and faults to plant into it, each with the promise that it breaks."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from rockdove.wire import im_pb2 as pb
from tests.history.content import edit_of, recall_of
from tests.history.events import Answered, Asked, Event, Invoked, LoggedIn, Pulled, Received, Refused, Sent
from tests.history.promises import Promise

History = list[Event]
GROUP = "#birds"
ALICE, BOB, CAROL, BOB_AGAIN = 1, 2, 3, 4  # connections


def notice(kind: str, actor: str, *users: str, text: str = "") -> bytes:
    """What the server writes into the log."""
    return pb.Notice(kind=kind, actor=actor, users=users, text=text).SerializeToString()


def asked(connection: int, seqid: int, **operation: object) -> list[Event]:
    """A change that is carried out."""
    request = pb.Group(**operation).SerializeToString()
    return [Asked(connection, seqid, GROUP, request), Answered(connection, seqid, pb.OK)]


def pushed(seq: int, sender: str, content: bytes, *connections: int) -> list[Event]:
    """A message reaches some devices."""
    return [Received(connection, 100 + seq, seq, GROUP, sender, content) for connection in connections]


def said(connection: int, seqid: int, seq: int, content: bytes) -> list[Event]:
    """A message is stored."""
    return [Invoked(connection, seqid, GROUP, content), Sent(connection, seqid, 100 + seq, seq)]


def refused(connection: int, seqid: int, content: bytes, code: int = pb.PERMISSION_DENIED) -> list[Event]:
    """A message is not."""
    return [Invoked(connection, seqid, GROUP, content), Refused(connection, seqid, code)]


GROUP_HISTORY: History = [
    LoggedIn(ALICE, "alice", "phone"),
    LoggedIn(BOB, "bob", "phone"),
    LoggedIn(CAROL, "carol", "phone"),
    *asked(ALICE, 1, create=pb.GroupCreate(id="birds", members=["bob"])),
    *pushed(1, "", notice("group.created", "alice", "bob"), ALICE, BOB),
    *said(ALICE, 2, 2, b"before carol"),
    *pushed(2, "alice", b"before carol", BOB),
    *refused(CAROL, 1, b"let me in"),
    *asked(CAROL, 2, join=pb.GroupRef(id="birds")),
    *pushed(3, "", notice("group.joined", "carol", "carol"), ALICE, BOB, CAROL),
    *said(CAROL, 3, 4, b"hello"),
    *pushed(4, "carol", b"hello", ALICE, BOB),
    *asked(ALICE, 3, mute=pb.GroupMute(id="birds", user="bob", seconds=1_000_000)),
    *pushed(5, "", notice("group.muted", "alice", "bob", text="1000000"), ALICE, BOB, CAROL),
    *refused(BOB, 1, b"muted"),
    *said(CAROL, 4, 6, edit_of(104, b"hello all")),
    *pushed(6, "carol", edit_of(104, b"hello all"), ALICE, BOB),
    *said(ALICE, 4, 7, recall_of(102)),
    *pushed(7, "alice", recall_of(102), BOB, CAROL),
    *asked(ALICE, 5, kick=pb.GroupUsers(id="birds", users=["carol"])),
    *pushed(8, "", notice("group.kicked", "alice", "carol"), ALICE, BOB, CAROL),
    *refused(CAROL, 5, b"too late"),
    *said(ALICE, 6, 9, b"after carol"),
    *pushed(9, "alice", b"after carol", BOB),
    LoggedIn(BOB_AGAIN, "bob", "phone"),
    Pulled(BOB_AGAIN, 102, 2, GROUP, "alice", b"", removed=True),
    Pulled(BOB_AGAIN, 104, 4, GROUP, "carol", b"hello", edited=b"hello all"),
]


def _with(*changes: tuple[Event, Event]) -> Callable[[History], History]:
    """The history with some events replaced."""
    return lambda history: [dict(changes).get(event, event) for event in history]


def _without_pushes(seq: int, *connections: int) -> Callable[[History], History]:
    return lambda history: [
        e for e in history if not (isinstance(e, Received) and e.seq == seq and e.connection in connections)
    ]


def _and_then(*events: Event) -> Callable[[History], History]:
    return lambda history: [*history, *events]


_PULLED_RECALLED, _PULLED_EDITED = (event for event in GROUP_HISTORY if isinstance(event, Pulled))

GROUP_FAULTS: Mapping[str, tuple[Callable[[History], History], Promise]] = {
    "joiner never gets his own notice": (_without_pushes(3, CAROL), Promise.LOST),
    "kicked one never gets the notice": (_without_pushes(8, CAROL), Promise.LOST),
    "joiner gets what was before": (_and_then(*pushed(2, "alice", b"before carol", CAROL)), Promise.LEAKED),
    "kicked one gets what comes after": (_and_then(*pushed(9, "alice", b"after carol", CAROL)), Promise.LEAKED),
    "kicked one writes": (_and_then(*said(CAROL, 9, 10, b"still here")), Promise.FORBIDDEN),
    "muted one writes": (_and_then(*said(BOB, 9, 10, b"psst")), Promise.FORBIDDEN),
    "member is refused": (_and_then(*refused(ALICE, 9, b"hi")), Promise.WRONGLY_REFUSED),
    "retry is refused after the kick": (_and_then(*refused(CAROL, 3, b"hello")), Promise.RETRY),
    "kick without effect": (_and_then(*asked(ALICE, 9, kick=pb.GroupUsers(id="birds", users=["bob"]))), Promise.CHANGE_LOST),
    "group without a log": (
        lambda history: [e if not isinstance(e, Asked) else replace(e, conversation="#trees") for e in history],
        Promise.CHANGE_LOST,
    ),
    "notice without a request": (_and_then(*pushed(10, "", notice("group.left", "bob", "bob"), ALICE, BOB)), Promise.INVENTED),
    "second notice of one join": (
        _and_then(*pushed(10, "", notice("group.kicked", "alice", "carol"), ALICE, BOB)),
        Promise.DOUBLED,
    ),
    "recalled content comes back": (
        _with((_PULLED_RECALLED, replace(_PULLED_RECALLED, content=b"before carol", removed=False))),
        Promise.RECALL_LOST,
    ),
    "content gone that nobody recalled": (
        _with((_PULLED_EDITED, replace(_PULLED_EDITED, content=b"", edited=b"", removed=True))),
        Promise.ALTERED,
    ),
    "edit is missing": (_with((_PULLED_EDITED, replace(_PULLED_EDITED, edited=b""))), Promise.EDIT_LOST),
    "edit that nobody made": (_with((_PULLED_EDITED, replace(_PULLED_EDITED, edited=b"goodbye"))), Promise.ALTERED),
}
