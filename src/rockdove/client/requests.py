"""Requests and their answers, paired by seqid (protocol §6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rockdove.wire import im_pb2 as pb

_FIRST: Final = 1 << 63  # out of the way of the outbox's seqids, which count from 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without an answer yet. `again`: it is repeated on the next connection, which is harmless but for transients."""

    wire: pb.Request
    again: bool


class Requests:
    """What was asked and not answered, in order. Only the outbox keeps anything for longer than the process lives."""

    def __init__(self) -> None:
        self._asked: dict[int, Asked] = {}
        self._unwritten: list[int] = []
        self._next = _FIRST

    def ask(self, kind: pb.RequestType, payload: bytes, opts: tuple[pb.Option, ...] = (), *, again: bool = True) -> int:
        """Queue a request; returns its seqid."""
        seqid = self._next
        self._next += 1
        self._asked[seqid] = Asked(pb.Request(type=kind, payload=payload, opts=opts, seqid=seqid), again)
        self._unwritten.append(seqid)
        return seqid

    def unwritten(self) -> Iterator[pb.Request]:
        """What is to be written now."""
        unwritten, self._unwritten = self._unwritten, []
        for seqid in unwritten:
            if asked := self._asked.get(seqid):
                yield asked.wire

    def answered(self, seqid: int) -> bool:
        """Forget this request; whether it was one of ours."""
        return self._asked.pop(seqid, None) is not None

    def lost(self) -> list[int]:
        """The connection is gone: returns what will not be repeated, by seqid."""
        given_up = [seqid for seqid, asked in self._asked.items() if not asked.again]
        for seqid in given_up:
            del self._asked[seqid]
        self._unwritten = list(self._asked)
        return given_up

    @property
    def awaiting(self) -> bool:
        """Whether an answer is due."""
        return bool(self._asked)
