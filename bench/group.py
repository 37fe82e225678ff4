"""CPU and rows of groups, without sockets: what it costs to create one, to send to it, to acknowledge, and to join it.

All members are online for the sends; for the joins only the one who joins.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core_path import TEXT, Anyone, Ids, Silence, Turns, Wire

from rockdove.core.node import Node
from rockdove.core.session import Session
from rockdove.core.settings import Settings
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder


class Crowd:
    """Many users, and one node."""

    def __init__(self, directory: Path, users: int, turns: Turns | None = None) -> None:
        self.database = open_database(directory)
        accounts = SqliteAccounts(self.database)
        self.turns = turns or Turns()
        self.node = Node(Settings(), SqliteStore(self.database), accounts, Anyone(), self.turns, Ids(), Silence())
        self.names = [f"u{number:06d}" for number in range(users)]
        asyncio.run(accounts.add_users(1, [(name, "") for name in self.names], 0))
        self._seqid = 0

    def log_in(self, name: str) -> tuple[Session, Wire]:
        """A session, and what is written to it from its login on."""
        wire = Wire()
        session = self.node.connect(wire, "127.0.0.1")
        connect = pb.Connect(org="default", appkey="default", user=name, token="-", device="bench")
        self.write(session, pb.Command(version=1, connect=connect))
        self.turns.run()
        wire.written.clear()
        return session, wire

    def write(self, session: Session, command: pb.Command) -> None:
        session.receive(codec.frame(command), self.turns.now_ms())

    def ask(self, session: Session, kind: int, payload: bytes) -> None:
        """One request, in a turn of its own."""
        self._seqid += 1
        self.write(session, pb.Command(version=1, request=pb.Request(type=kind, seqid=self._seqid, payload=payload)))
        self.turns.run()

    def measured(self, work: Callable[[], None]) -> tuple[float, int]:
        """CPU seconds and rows written."""
        rows, start = self.database.total_changes, time.process_time()
        work()
        return time.process_time() - start, self.database.total_changes - rows


def msgids_in(wire: Wire) -> list[int]:
    """The messages that were pushed since the last call."""
    decoder = FrameDecoder()
    decoder.feed(b"".join(wire.written))
    wire.written.clear()
    return [command.request.seqid for command in map(pb.Command.FromString, decoder.frames()) if command.request.seqid]


def measure_sends(crowd: Crowd, messages: int) -> None:
    """Everybody is in one group and online; one of them writes."""
    sessions = [crowd.log_in(name) for name in crowd.names]
    owner = sessions[0][0]
    create = pb.Group(create=pb.GroupCreate(id="crowd", members=crowd.names[1:])).SerializeToString()
    spent, rows = crowd.measured(lambda: crowd.ask(owner, pb.GROUP, create))
    print(f"create with {len(crowd.names):,} members: {spent * 1e3:.1f} ms, {rows:,} rows")
    acknowledge(crowd, sessions)
    content = pb.MessageTxt(txt=TEXT).SerializeToString()
    message = pb.Message(payload=content, to="crowd", chat=pb.GROUP_CHAT).SerializeToString()
    sending = acking = 0.0
    deliveries = rows_of_sends = rows_of_acks = 0
    for _ in range(messages):
        spent, rows = crowd.measured(lambda: crowd.ask(owner, pb.MESSAGE, message))
        sending, rows_of_sends = sending + spent, rows_of_sends + rows
        spent, rows, count = acknowledge(crowd, sessions)
        acking, rows_of_acks, deliveries = acking + spent, rows_of_acks + rows, deliveries + count
    print(
        f"send: {sending / messages * 1e3:.2f} ms, {sending / deliveries * 1e6:.2f} µs per delivery, "
        f"{rows_of_sends / messages:.1f} rows per message"
    )
    print(f"acknowledge: {acking / deliveries * 1e6:.2f} µs, {rows_of_acks / deliveries:.2f} rows per delivery")


def acknowledge(crowd: Crowd, sessions: list[tuple[Session, Wire]]) -> tuple[float, int, int]:
    """Everybody acknowledges what was pushed; CPU seconds, rows, and how much it was."""
    pushed = [(session, msgid) for session, wire in sessions for msgid in msgids_in(wire)]
    acks = [(session, codec.frame(pb.Command(version=1, response=pb.Response(seqid=msgid)))) for session, msgid in pushed]

    def ack_all() -> None:
        now_ms = crowd.turns.now_ms()
        for session, ack in acks:
            session.receive(ack, now_ms)
        crowd.node.commit.write_cursors()
        crowd.turns.run()

    return *crowd.measured(ack_all), len(acks)


def measure_joins(crowd: Crowd) -> None:
    """Everybody joins one group, one after the other; the others are away."""
    owner, _ = crowd.log_in(crowd.names[0])
    policy = pb.GroupPolicy(join=pb.GroupPolicy.OPEN)
    crowd.ask(owner, pb.GROUP, pb.Group(create=pb.GroupCreate(id="open", policy=policy)).SerializeToString())
    owner.link_lost()
    join = pb.Group(join=pb.GroupRef(id="open")).SerializeToString()
    total, rows_of_all, parts = 0.0, 0, list[float]()
    for name in crowd.names[1:]:
        session, _ = crowd.log_in(name)
        spent, rows = crowd.measured(lambda session=session: crowd.ask(session, pb.GROUP, join))  # type: ignore[misc]
        session.link_lost()
        total, rows_of_all = total + spent, rows_of_all + rows
        parts.append(spent)
    tenth = max(1, len(parts) // 10)
    first, last = sum(parts[:tenth]) / tenth, sum(parts[-tenth:]) / tenth
    print(
        f"{len(parts):,} joins: {total / len(parts) * 1e6:.0f} µs each (first tenth {first * 1e6:.0f}, last {last * 1e6:.0f}), "
        f"{rows_of_all / len(parts):.1f} rows"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--messages", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        measure_sends(Crowd(Path(directory), options.members), options.messages)
    with tempfile.TemporaryDirectory() as directory:
        measure_joins(Crowd(Path(directory), options.members))


if __name__ == "__main__":
    main()
