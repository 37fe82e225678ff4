"""CPU per message of everything but the sockets: frames in, one session per user, SQLite on disk, frames out."""

import argparse
import asyncio
import cProfile
import pstats
import secrets
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rockdove.core.node import Node
from rockdove.core.records import Tenant, User
from rockdove.core.session import Session
from rockdove.core.settings import Settings
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

TEXT = "x" * 100


class Turns:
    """A scheduler whose turns are run by hand."""

    def __init__(self) -> None:
        self._next: list[Callable[[], None]] = []

    def soon(self, call: Callable[[], None]) -> None:
        self._next.append(call)

    def later(self, delay_ms: int, call: Callable[[], None]) -> None:
        """Nothing is measured for long enough."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            work.send(None)
        except StopIteration:
            return
        raise RuntimeError("with SQLite nothing waits")

    def now_ms(self) -> int:
        return int(time.time() * 1000)

    def run(self) -> None:
        while self._next:
            calls, self._next = self._next, []
            for call in calls:
                call()


class Wire:
    """A link that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Anyone:
    """Lets everyone in."""

    def recognises(
        self, tenant: Tenant, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        return True

    async def check(
        self, tenant: Tenant | None, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        return True

    def resume_token(self, tenant: Tenant, user: User, device: str, kicked_ms: int, now_ms: int) -> tuple[str, int]:
        return "token", now_ms


class Ids:
    def token(self) -> str:
        return secrets.token_hex(8)


class Silence:
    """A log that is not written."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...
    def exception(self, event: str, **fields: object) -> None: ...


class Pairs:
    """Users 0 and 1, 2 and 3, … write to each other."""

    def __init__(self, directory: Path, users: int) -> None:
        self.database = database = open_database(directory)
        accounts = SqliteAccounts(database)
        self.turns = Turns()
        self.node = Node(Settings(), SqliteStore(database), accounts, Anyone(), self.turns, Ids(), Silence())
        names = [f"u{number:06d}" for number in range(users)]
        asyncio.run(accounts.add_users(1, [(name, "") for name in names], 0))
        self.wires = [Wire() for _ in names]
        self.sessions = [self._log_in(name, wire) for name, wire in zip(names, self.wires, strict=True)]
        self.turns.run()
        self._acks = [b""] * users
        self._seqid = secrets.randbits(62)
        content = pb.MessageTxt(txt=TEXT).SerializeToString()
        self._messages = [pb.Message(payload=content, to=names[number ^ 1]).SerializeToString() for number in range(users)]

    def _log_in(self, name: str, wire: Wire) -> Session:
        session = self.node.connect(wire, "127.0.0.1")
        connect = pb.Connect(org="default", appkey="default", user=name, token="-", device="bench")
        session.receive(codec.frame(pb.Command(version=1, connect=connect)), self.turns.now_ms())
        return session

    def input(self, window: int) -> list[bytes]:
        """What every user writes in one round: acks for all of the last round, and `window` messages."""
        return [
            acks + b"".join(self._send(m) for _ in range(window)) for acks, m in zip(self._acks, self._messages, strict=True)
        ]

    def _send(self, message: bytes) -> bytes:
        self._seqid += 1
        return codec.frame(pb.Command(version=1, request=pb.Request(payload=message, seqid=self._seqid)))

    def round(self, data: list[bytes]) -> None:
        """One turn of the loop."""
        now_ms = self.turns.now_ms()
        for session, piece in zip(self.sessions, data, strict=True):
            session.receive(piece, now_ms)
        self.turns.run()

    def collect(self) -> int:
        """Read what was pushed, to acknowledge it in the next round. Returns how many messages it was."""
        count = 0
        for number, wire in enumerate(self.wires):
            decoder = FrameDecoder()
            decoder.feed(b"".join(wire.written))
            wire.written.clear()
            msgids = [
                command.request.seqid for command in map(pb.Command.FromString, decoder.frames()) if command.request.seqid
            ]
            acks = (pb.Command(version=1, response=pb.Response(seqid=msgid)) for msgid in msgids)
            self._acks[number] = b"".join(map(codec.frame, acks))
            count += len(msgids)
        return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        pairs = Pairs(Path(directory), options.users)
        profile = cProfile.Profile()
        spent = delivered = 0.0
        for _ in range(max(1, options.messages // (options.users * options.window))):
            data = pairs.input(options.window)
            start = time.process_time()
            if options.profile:
                profile.runcall(pairs.round, data)
            else:
                pairs.round(data)
            spent += time.process_time() - start
            delivered += pairs.collect()
    print(f"{spent / delivered * 1e6:.2f} µs per message ({delivered:.0f} messages)")
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
