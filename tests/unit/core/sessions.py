"""Real sessions without a client: what they write is kept."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rockdove.core.deadlines import Deadlines
from rockdove.core.lanes import Lanes
from rockdove.core.msgid import MsgidSource
from rockdove.core.ports import Scheduler
from rockdove.core.records import Batch
from rockdove.core.registry import Registry
from rockdove.core.session import Session, State
from rockdove.core.settings import Settings
from rockdove.server.build import build
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder
from tests.protocol.virtual import Clock, Journal

# For tests whose session, or its way out, only looks like one.
stands_in = pytest.mark.skipif("compiled" in build(), reason="what is compiled takes no stand-in for a session")


class Kept:
    """`core.ports.Link` that keeps what is written, until somebody looks."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Disk:
    """As much of a store as sessions need here: all is durable at once."""

    lanes = 1
    shared = False

    def commit(self, _: Batch, done: Callable[[Exception | None], None]) -> None:
        done(None)


class Sessions:
    """Makes sessions, as they are after the login, of a node that is not there."""

    def __init__(self, registry: Registry, clock: Scheduler | None = None) -> None:
        journal = Journal()
        clock = clock or Clock(journal.fault)
        store: Any = Disk()
        self.registry = registry
        self._links: dict[Session, Kept] = {}
        self._node: Any = SimpleNamespace(
            arrivals=set(),
            commit=Lanes(store, clock, MsgidSource(0, 0), journal),
            deadlines=Deadlines(),
            log=journal,
            registry=registry,
            scheduler=clock,
            settings=Settings(),
            store=store,
        )

    def come(self, user: int, name: str, device: int, device_name: str = "", login: int = 0) -> Session:
        """A session of this user's device, known to the registry."""
        link = Kept()
        session = Session(self._node, link, "192.0.2.1", self._node.scheduler.now_ms())
        session.user, session.name, session.device_name, session.login = user, name, device_name or str(device), login
        session.outbound.open(self.registry.add(session, user, name), device)
        session._state = State.LIVE
        self._links[session] = link
        return session

    def sent(self, session: Session) -> list[pb.Command]:
        """What it was sent since the last look."""
        session.outbound.write_out()
        decoder, link = FrameDecoder(), self._links[session]
        decoder.feed(link.written)
        link.written = b""
        return [pb.Command.FromString(frame) for frame in decoder.frames()]
