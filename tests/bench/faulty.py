"""A server that does one thing wrong, once: `python -m tests.bench.faulty FAULT`."""

import sys
import time

import uvloop

from rockdove.bench.floor import Connection, Relay, serve
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

STALL_SECONDS = 0.5
WHEN = 10  # pushes or answers; the windows hold more


class FaultyRelay(Relay):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self._fault = fault
        self._messages = self._pushes = self._answers = 0
        self._held: tuple[Connection, bytes] | None = None

    def pass_on(self, sender: Connection, seqid: int, body: bytes, receiver: bytes) -> None:
        self._messages += 1
        if self._fault == "skip" and self._messages == WHEN * 2:
            for conversation in self.seqs:
                self.seqs[conversation] += 1
        super().pass_on(sender, seqid, body, receiver)

    def push(self, device: Connection, frame: bytes) -> None:
        self._pushes += 1
        if self._fault == "stall" and self._pushes == WHEN:
            time.sleep(STALL_SECONDS)
        if self._held and self._held[0] is device:
            super().push(device, frame)
            frame, self._held = self._held[1], None
        elif self._pushes == WHEN:
            if self._fault == "drop":
                return
            if self._fault == "swap":
                self._held = device, frame
                return
            if self._fault == "double":
                super().push(device, frame)
            if self._fault == "alter":
                frame = frame.replace(b"brown fox", b"brown dog")
            if self._fault == "misdeliver":
                names = sorted(self.devices)
                device = self.devices[names[names.index(device.name) ^ 2]]  # one of another pair
            if self._fault == "cut" and device.transport:
                device.transport.close()
        super().push(device, frame)

    def answer(self, device: Connection, frame: bytes) -> None:
        self._answers += 1
        if self._answers == WHEN:
            if self._fault == "refuse":
                seqid = pb.Command.FromString(frame[1:]).response.seqid
                frame = codec.response(seqid, code=pb.UNAVAILABLE, reason="try again")
            if self._fault == "silence":
                return
            if self._fault == "answer_twice":
                super().answer(device, frame)
        super().answer(device, frame)


if __name__ == "__main__":
    uvloop.run(serve(FaultyRelay(sys.argv[1])))
