"""CPU of logins and heartbeats, and memory of idle sessions, without sockets: frames in, SQLite on disk, frames out."""

import argparse
import asyncio
import cProfile
import gc
import pstats
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path

from core_path import Ids, Silence, Turns

from rockdove.auth import TokenAuth, app_token
from rockdove.core.node import Node
from rockdove.core.records import Batch, Draft, single_conversation
from rockdove.core.session import Session
from rockdove.core.settings import Settings
from rockdove.server.app import GARBAGE_THRESHOLDS
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

DEVICE = "phone"


class Line:
    """A link that keeps the last thing written."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written = data

    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Town:
    """Users with a device each, and one node."""

    def __init__(self, directory: Path, users: int, at_once: int) -> None:
        database = open_database(directory)
        self._accounts = SqliteAccounts(database)
        self._store = SqliteStore(database)
        self._turns = Turns()
        auth = TokenAuth(asyncio.run(self._accounts.signing_key()))
        self._node = Node(Settings(), self._store, self._accounts, auth, self._turns, Ids(), Silence())
        self._node.start()
        self._at_once = at_once
        self.profile: cProfile.Profile | nullcontext[None] = nullcontext()
        self.names = [f"u{number:06d}" for number in range(users)]
        asyncio.run(self._accounts.add_users(1, [(name, "") for name in self.names], 0))
        self.sessions: list[tuple[Session, Line]] = []

    def app_tokens(self) -> list[str]:
        """One for each user."""
        (tenant,) = asyncio.run(self._accounts.tenants())
        tenant = replace(tenant, token_secret=app_token.new_secret())
        asyncio.run(self._accounts.set_tenant(tenant))
        now = int(time.time())
        return [app_token.sign(tenant, name, now, now + 3_600) for name in self.names]

    def log_in(self, tokens: Sequence[str]) -> float:
        """All log in, so many in a turn. Returns the CPU time of it in seconds."""
        frames = [
            codec.frame(
                pb.Command(
                    version=1, connect=pb.Connect(org="default", appkey="default", user=name, token=token, device=DEVICE)
                )
            )
            for name, token in zip(self.names, tokens, strict=True)
        ]
        spent = 0.0
        self.sessions = []
        waiting = iter(frames)
        while crowd := list(islice(waiting, self._at_once)):
            start = time.process_time()
            with self.profile:
                now_ms = self._turns.now_ms()
                for frame in crowd:
                    line = Line()
                    session = self._node.connect(line, "127.0.0.1")
                    self.sessions.append((session, line))
                    session.receive(frame, now_ms)
                self._turns.run()
            spent += time.process_time() - start
        start = time.process_time()
        self._node.commit.of(0).write_seen()  # it is done once a second
        self._turns.run()
        return spent + time.process_time() - start

    def resume_tokens(self) -> list[str]:
        """What the last logins have given."""
        return [answers(line)[0].conack.resume_token for _, line in self.sessions]

    def hang_up(self) -> float:
        """All connections are lost, so many in a turn. Returns the CPU time of it in seconds."""
        start = time.process_time()
        waiting = iter(self.sessions)
        while crowd := list(islice(waiting, self._at_once)):
            for session, _ in crowd:
                session.link_lost()
            self._turns.run()
        return time.process_time() - start

    def beat(self) -> float:
        """Each sends a heartbeat, so many in a turn. Returns the CPU time of it in seconds."""
        ping = codec.frame(pb.Command(version=1, ping=pb.Ping()))
        start = time.process_time()
        with self.profile:
            waiting = iter(self.sessions)
            while crowd := list(islice(waiting, self._at_once)):
                now_ms = self._turns.now_ms()
                for session, _ in crowd:
                    session.receive(ping, now_ms)
                self._turns.run()
        spent = time.process_time() - start
        assert all(answers(line)[-1].HasField("pong") for _, line in self.sessions)
        return spent

    def befriend(self, conversations: int) -> None:
        """Everybody gets a message in that many conversations, and acknowledges it."""
        body = pb.MessageTxt(txt="x" * 100).SerializeToString()
        ids = [session.user for session, _ in self.sessions]
        devices = [session.outbound.device for session, _ in self.sessions]
        count = len(ids)
        for distance in range(1, (conversations + 1) // 2 + 1):
            batch = Batch()
            for index, user in enumerate(ids):
                other = (index + distance) % count
                conversation = single_conversation(user, ids[other])
                draft = Draft(1, conversation, user, b"", devices[index], distance, body, self)
                batch.messages.append(draft)
                batch.cursors[devices[index], conversation] = batch.cursors[devices[other], conversation] = 1
            batch.now_ms = self._turns.now_ms()
            batch.number(self._node._msgids)
            self._store.commit(batch, lambda error: None)

    def settle(self) -> None:
        """What the store keeps in memory of new messages goes to where it is looked up later."""
        log = self._store._log
        while log._settling is not None or log._tail.size:
            log.seal(now=True)
            self._store.commit(Batch(), lambda error: None)


def answers(line: Line) -> list[pb.Command]:
    """What was written last."""
    decoder = FrameDecoder()
    decoder.feed(line.written)
    return [pb.Command.FromString(frame) for frame in decoder.frames()]


def figures(town: Town, conversations: int) -> Iterator[tuple[str, str, Callable[[], float]]]:
    """What is measured, in order: a name for short, what it is, and how it is done."""
    tokens = town.app_tokens()
    yield "first", "first login of a device, with an app token", lambda: town.log_in(tokens)
    tokens = town.resume_tokens()
    yield "beat", "heartbeat", town.beat
    yield "lost", "connection lost", town.hang_up
    yield "again", "login with a resume token", lambda: town.log_in(tokens)
    yield "instead", "the same, of a device whose old connection is still there", lambda: town.log_in(tokens)
    town.befriend(conversations)
    yield "beat-new", f"heartbeat with {conversations} conversations, all of them new", town.beat
    town.settle()
    yield "beat-many", f"heartbeat with {conversations} conversations", town.beat
    town.hang_up()
    yield "again-many", f"login with a resume token and {conversations} conversations", lambda: town.log_in(tokens)


def session_bytes(town: Town) -> float:
    """What Python has for an idle session, without its connection."""
    tokens = town.resume_tokens()
    town.hang_up()
    tracemalloc.start()
    town.log_in(tokens)
    town.beat()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    return taken / len(town.names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--at-once", type=int, default=32, help="logins, or heartbeats, that arrive in one turn")
    parser.add_argument("--conversations", type=int, default=50, help="of each user, at the end")
    parser.add_argument("--profile", help="one of the figures by its short name, with the functions that take the time")
    options = parser.parse_args()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    with tempfile.TemporaryDirectory() as directory:
        town = Town(Path(directory), options.users, options.at_once)
        for short, what, measure in figures(town, options.conversations):
            if short == options.profile:
                town.profile = cProfile.Profile()
            spent = measure()
            print(f"{short}: {what}: {spent / options.users * 1e6:.1f} µs")
            if short == options.profile:
                pstats.Stats(town.profile).sort_stats("tottime").print_stats(50)
                town.profile = nullcontext()
        print(f"session: {session_bytes(town):.0f} bytes")


if __name__ == "__main__":
    main()
