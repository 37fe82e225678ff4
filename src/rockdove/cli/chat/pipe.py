"""The chat through a pipe: lines in are messages out, messages in are lines out."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from rockdove.cli.chat.receipts import ReadReceipts
from rockdove.cli.chat.words import local_time, one_line
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.cli.terminal import printable
from rockdove.client import (
    Client,
    Edit,
    Group,
    Message,
    MessageReceived,
    MessagesMissing,
    Notice,
    Peer,
    Posting,
    Reaction,
    Recall,
    Refused,
    Removed,
)
from rockdove.locale import Texts
from rockdove.wire import im_pb2 as pb

_STDIN: Final = 0
_READ_BYTES: Final = 64 * 1024
_UNANSWERED: Final = 256  # lines that are read ahead of their answers
_INPUT_SECONDS: Final = 0.5  # within which input that is there can be read
_RECEIPT_SECONDS: Final = 2.0  # to get the last read receipt out
_HOPELESS: Final = (pb.NOT_FOUND, pb.PERMISSION_DENIED)  # no further line to this peer can succeed


def read_lines() -> Iterator[str]:
    """Standard input, line by line without the line ends, past Python's buffer: a thread may be left waiting in it at exit."""
    rest = b""
    while data := os.read(_STDIN, _READ_BYTES):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


async def in_thread(lines: Iterator[str]) -> AsyncIterator[str]:
    """The same lines, read in a thread that does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    read: asyncio.Queue[str | None] = asyncio.Queue()
    wanted = threading.Semaphore(0)

    def work() -> None:
        with suppress(RuntimeError):  # the loop is closed
            while wanted.acquire():
                line = next(lines, None)
                loop.call_soon_threadsafe(read.put_nowait, line)
                if line is None:
                    return

    threading.Thread(target=work, name="stdin", daemon=True).start()
    while True:
        wanted.release()
        line = await read.get()
        if line is None:
            return
        yield line


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop receiving: so many seconds after the input ended, or after so many messages."""

    linger_seconds: float | None
    count: int | None


class Pipe:
    """One run of the chat through a pipe."""

    def __init__(self, client: Client, peer: Peer | None, texts: Texts, *, as_json: bool) -> None:
        self._client = client
        self._peer = peer
        self._texts = texts
        self._as_json = as_json
        self._receipts = ReadReceipts(client)
        self._posted: asyncio.Queue[tuple[int, Posting] | None] = asyncio.Queue(_UNANSWERED)
        self._lines = 0
        self._received = 0
        self._failed = False

    async def run(self, lines: Iterator[str], limits: Limits) -> int:
        """Returns the exit code. Raises CommandError, and what ended the client."""
        posting = asyncio.create_task(self._post(in_thread(lines)))
        reporting = asyncio.create_task(self._report())
        receiving = asyncio.create_task(self._receive(limits.count))
        try:
            await _first_of(receiving, reporting, beside=posting)
            if not receiving.done() and (limits.count or limits.linger_seconds):
                await asyncio.wait([receiving], timeout=limits.linger_seconds)
            if receiving.done():
                receiving.result()
                await self._rest_of(posting)
                await self._client.flush()
            elif limits.count:
                raise CommandError(f"only {self._received} of {limits.count} messages came within {limits.linger_seconds:g} s")
        finally:
            for task in (posting, reporting, receiving):
                task.cancel()
            await asyncio.gather(posting, reporting, receiving, return_exceptions=True)
            await self._receipts.close(_RECEIPT_SECONDS)
        return int(self._failed)

    # ---------------------------------------------------------------- out

    async def _post(self, lines: AsyncIterator[str]) -> None:
        number = 0
        async for line in lines:
            number = self._lines = number + 1
            if not line:
                continue
            if not self._peer:
                raise wrong_usage("say with --to whom the lines are for")
            try:
                await self._posted.put((number, self._client.post(self._peer, line)))
            except Refused as refusal:
                self._complain(number, refusal)
        await self._posted.put(None)

    async def _rest_of(self, posting: asyncio.Task[None]) -> None:
        """All that is wanted was received. Input that is there already is still sent; more is not waited for."""
        before = -1
        while not posting.done() and (self._lines > before or self._posted.full()):
            before = self._lines
            await asyncio.wait([posting], timeout=_INPUT_SECONDS)

    async def _report(self) -> None:
        """Returns when the input has ended and every line has its answer."""
        while posted := await self._posted.get():
            await self._answer(*posted)

    async def _answer(self, number: int, posting: Posting) -> None:
        try:
            sent = await posting
        except Refused as refusal:
            if refusal.code in _HOPELESS:
                raise CommandError(refusal.reason) from None
            self._complain(number, refusal)
        else:
            if self._as_json:
                self._print_json(type="sent", line=number, msgid=str(sent.msgid), seq=sent.seq, timestamp_ms=sent.timestamp_ms)

    def _complain(self, number: int, refusal: Refused) -> None:
        self._failed = True
        print(f"rockdove: line {number} was not sent: {printable(refusal.reason)}", file=sys.stderr)

    # ---------------------------------------------------------------- in

    async def _receive(self, count: int | None) -> None:
        """Returns when `count` messages were received; never without one."""
        async for event in self._client.events():
            if isinstance(event, MessagesMissing):
                missing = self._texts["missing"].format(first=event.after + 1, last=event.before - 1)
                print(f"rockdove: {event.peer}: {missing}", file=sys.stderr)
            if not isinstance(event, MessageReceived):
                continue
            self._print(event.message)
            self._receipts.shown(event.message)
            if event.message.sender not in ("", self._client.user):  # nor a notice, which nobody sends
                self._received += 1
                if self._received == count:
                    self._client.acknowledge(event.message)
                    return

    def _print(self, message: Message) -> None:
        words = one_line(message.content, self._texts, self._client.user)
        if self._as_json:
            self._print_json(**_as_json(message), summary=words)
            return
        notice = isinstance(message.content, Notice)
        who = "*" if notice else f"{printable(message.sender)}:"
        if isinstance(message.peer, Group):
            who = f"{message.peer} {who}"
        print(f"{local_time(message.timestamp_ms):%H:%M:%S} {who} {words}", flush=True)

    def _print_json(self, **values: Any) -> None:
        print(json.dumps(values, ensure_ascii=False), flush=True)


def _as_json(message: Message) -> dict[str, Any]:
    """A message for programs; what only some have is left out of the others."""
    values: dict[str, Any] = {
        "type": "message",
        "chat": "group" if isinstance(message.peer, Group) else "single",
        "peer": message.peer.id if isinstance(message.peer, Group) else message.peer,
        "sender": message.sender,
        "msgid": str(message.msgid),  # above what JavaScript's numbers can hold
        "seq": message.seq,
        "timestamp_ms": message.timestamp_ms,
        "text": message.text,
    }
    match message.content:
        case Notice(kind, actor, users, text):
            values["notice"] = {"kind": kind, "actor": actor, "users": users, "text": text}
        case Recall(msgid):
            values["recall"] = str(msgid)
        case Edit(msgid):
            values["edit"] = str(msgid)
        case Reaction(msgid, emoji, removed):
            values["reaction"] = {"msgid": str(msgid), "emoji": emoji, "removed": removed}
        case Removed():
            values["removed"] = True
    if message.reply_to:
        values["reply_to"] = str(message.reply_to)
    if message.edited:
        values["edited"] = True
    return values


async def _first_of(*tasks: asyncio.Task[None], beside: asyncio.Task[None]) -> None:
    """Wait until one of `tasks` is done. Raises what they raise, and what the one beside them raises, which may end before."""
    waiting = {*tasks, beside}
    while waiting.issuperset(tasks):
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
