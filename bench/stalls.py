"""For how long a server does nothing else: the worst turn of the loop in jobs that concern thousands. Without sockets.

Of each job: all of it, its turns, and the worst of them, in ms of CPU and by the clock, which a busy machine makes longer.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, repeat
from pathlib import Path
from random import Random
from typing import NamedTuple

from core_path import TEXT, Turns, Wire
from group import Crowd, acknowledge, msgids_in

from rockdove.core.records import Batch, Draft, single_conversation
from rockdove.core.session import Session
from rockdove.server.app import GARBAGE_THRESHOLDS
from rockdove.store.sqlite.tail import SEAL_AT
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import WINDOW

BODY = pb.Message(payload=pb.MessageTxt(txt=TEXT).SerializeToString(), to="u000001").SerializeToString()
POLL = 1_024  # connections that the loop reads in one turn
BATCH = 2_000  # messages in one commit while a log is filled


class Turn(NamedTuple):
    """One turn of the loop, in seconds."""

    cpu: float
    clock: float


class TimedTurns(Turns):
    """Notes how long each turn takes."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Turn] = []
        self._running = False

    def run(self) -> None:
        if self._running:  # within a turn: the others follow it
            return
        self._running = True
        while self._next:
            calls, self._next = self._next, []
            cpu, clock = time.process_time(), time.perf_counter()
            for call in calls:
                call()
            self.taken.append(Turn(time.process_time() - cpu, time.perf_counter() - clock))
        self._running = False


class Place:
    """A crowd whose turns are timed as those of a server are bounded."""

    def __init__(self, users: int) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.turns = TimedTurns()
        self.crowd = Crowd(Path(self._directory.name), users, self.turns)
        self.crowd.node.commit.figures.clock = time.perf_counter

    def report(self, job: str, *works: Callable[[], object]) -> None:
        """Do one after the other, and print what their turns took."""
        taken = self.turns.taken
        taken.clear()
        for work in works:
            self.turns.soon(work)  # type: ignore[arg-type]
            self.turns.run()
        cpu, clock = max(turn.cpu for turn in taken), max(turn.clock for turn in taken)
        print(
            f"{job}: {sum(turn.cpu for turn in taken) * 1e3:.0f} ms of CPU in {len(taken):,} turns, "
            f"the worst {cpu * 1e3:.1f} ms ({clock * 1e3:.1f} by the clock)"
        )


def large_group(members: int) -> None:
    """It is created while all are here; some talk at a time; everybody acknowledges; all are put out."""
    place = Place(members)
    crowd, names = place.crowd, place.crowd.names
    sessions = [crowd.log_in(name) for name in names]
    gc.freeze()
    owner = sessions[0][0]
    create = pb.Group(create=pb.GroupCreate(id="crowd", members=names[1:])).SerializeToString()
    place.report(f"create a group of {members:,}, all here", lambda: crowd.ask(owner, pb.GROUP, create))
    acknowledge(crowd, sessions)
    message = pb.Message(payload=pb.MessageTxt(txt=TEXT).SerializeToString(), to="crowd", chat=pb.GROUP_CHAT)
    request = pb.Request(type=pb.MESSAGE, payload=message.SerializeToString())

    def talk() -> None:
        for number, (session, _) in enumerate(sessions[:10], 1):
            request.seqid = number
            crowd.write(session, pb.Command(version=1, request=request))

    place.report("… ten of them write at the same time", talk)
    acks = [(session, acks_in(wire)) for session, wire in sessions]
    polls = [partial(hear, crowd, acks[start : start + POLL]) for start in range(0, members, POLL)]
    place.report("… all acknowledge", *polls, crowd.node.commit.write_cursors)
    kick = pb.Group(kick=pb.GroupUsers(id="crowd", users=names[1:])).SerializeToString()
    place.report("… all but one are put out", lambda: crowd.ask(owner, pb.GROUP, kick))


def acks_in(wire: Wire) -> bytes:
    """What a client says to all that was pushed to it."""
    return b"".join(codec.frame(pb.Command(version=1, response=pb.Response(seqid=msgid))) for msgid in msgids_in(wire))


def hear(crowd: Crowd, said: Sequence[tuple[Session, bytes]]) -> None:
    """What these clients say comes in one turn."""
    for session, data in said:
        session.receive(data, crowd.turns.now_ms())


def joins(members: int) -> None:
    """Everybody joins an open group, and stays."""
    place = Place(members)
    crowd = place.crowd
    owner, _ = crowd.log_in(crowd.names[0])
    create = pb.GroupCreate(id="open", policy=pb.GroupPolicy(join=pb.GroupPolicy.OPEN))
    crowd.ask(owner, pb.GROUP, pb.Group(create=create).SerializeToString())
    join = pb.Group(join=pb.GroupRef(id="open")).SerializeToString()
    sessions = [crowd.log_in(name) for name in crowd.names[1:]]

    def join_all() -> None:
        for session, _ in sessions:
            crowd.write(session, pb.Command(version=1, request=pb.Request(type=pb.GROUP, seqid=1, payload=join)))

    place.report(f"{members:,} join at the same time, all here", join_all)


def long_backlog(messages: int) -> None:
    """Somebody comes back to a long backlog from another; heartbeats meanwhile, and the list of conversations."""
    place = Place(2)
    crowd = place.crowd
    session, _ = crowd.log_in(crowd.names[1])  # from then on he is owed what comes
    session.link_lost()
    crowd.turns.run()
    fill(crowd, messages)
    came: list[tuple[Session, Wire]] = []
    place.report(f"log in to a backlog of {messages:,}", lambda: came.append(crowd.log_in(crowd.names[1])))
    session, wire = came[0]
    listing = pb.Sync(conversations=pb.ListConversations()).SerializeToString()
    place.report("… list the conversations", lambda: crowd.ask(session, pb.SYNC, listing))
    place.report("… a heartbeat", lambda: crowd.write(session, pb.Command(version=1, ping=pb.Ping())))
    windows = max(1, messages // 10 // WINDOW)
    place.report("… read a tenth of it", *repeat(lambda: acknowledge(crowd, [(session, wire)]), windows))


def fill(crowd: Crowd, messages: int) -> None:
    """So many messages from the first user to the second, through the store itself."""
    device = asyncio.run(crowd.node.store.open_device(1, "filler", "", crowd.turns.now_ms())).id
    for start in range(0, messages, BATCH):
        seqids = range(start + 1, min(start + BATCH, messages) + 1)
        store(crowd, [draft(single_conversation(1, 2), device, seqid) for seqid in seqids])


def settling(users: int) -> None:
    """Large batches between many: of a part of the log hardly two messages share a row of the tables beside it."""
    place, random = Place(users), Random(1)
    crowd = place.crowd
    devices = [asyncio.run(crowd.node.store.open_device(user + 1, "filler", "", 0)).id for user in range(users)]
    pairs = [random.sample(range(users), 2) for _ in range(SEAL_AT)]
    seqids = count(1)

    def written(pairs: list[list[int]]) -> list[Draft]:
        return [draft(single_conversation(low + 1, high + 1), devices[low], next(seqids)) for low, high in pairs]

    store(crowd, written(pairs))
    batches = [written(random.choices(pairs, k=BATCH // 2)) for _ in range(2 * SEAL_AT // (BATCH // 2))]
    job = f"batches of {BATCH // 2:,} messages in {len(pairs):,} conversations"
    place.report(job, *(partial(store, crowd, batch) for batch in batches))


def draft(conversation: int, device: int, seqid: int) -> Draft:
    """A text of the first user."""
    return Draft(1, conversation, 1, codec.sender_field("u000000"), device, seqid, BODY, None)


def store(crowd: Crowd, drafts: list[Draft]) -> None:
    """In one commit."""
    batch = Batch()
    batch.now_ms, batch.messages = crowd.turns.now_ms(), drafts
    batch.number(crowd.node._msgids)
    crowd.node.store.commit(batch, lambda error: None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    options = parser.parse_args()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    large_group(options.members)
    joins(options.members // 10)
    long_backlog(options.backlog)
    settling(options.members // 5)


if __name__ == "__main__":
    main()
