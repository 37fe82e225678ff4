"""The floor: what any server of this wire has to do in Python, and nothing else.

It lets everybody in, answers each message and passes it on. It stores nothing, knows no rights, and forgets whoever is not
here. What `rockdove serve` costs beyond this is the price of its promises.
"""

import asyncio
import json
import sys
import time
from typing import Final, cast

import uvloop

from rockdove.wire import codec, plain
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

_BACKLOG: Final = 4096


class Relay:
    """Who is here, and how far each conversation is."""

    def __init__(self) -> None:
        self.devices: dict[bytes, Connection] = {}
        self.groups: dict[bytes, dict[Connection, None]] = {}
        self.seqs: dict[bytes, int] = {}
        self._msgid = time.time_ns()
        self._unwritten: list[Connection] = []

    def pass_on(self, sender: "Connection", seqid: int, body: bytes, receiver: bytes) -> None:
        """Answer a message, and push it to those it is for."""
        if receiver.endswith(codec.GROUP_MARK):
            conversation, receivers = receiver, list(self.groups.get(receiver[:-2], ()))
        else:
            conversation = b"/".join(sorted((sender.name, receiver)))
            receivers = [self.devices[receiver]] if receiver in self.devices else []
        seq = self.seqs[conversation] = self.seqs.get(conversation, 0) + 1
        self._msgid += 1
        timestamp = codec.varint(int(time.time() * 1000))
        self.answer(sender, codec.sent(seqid, self._msgid, seq, timestamp))
        push = codec.push(codec.record(body, sender.field, self._msgid, seq, timestamp), self._msgid)
        for device in receivers:
            if device is not sender:
                self.push(device, push)

    def gather(self, asker: "Connection", group: pb.Group) -> None:
        """Found a group, or let those who are here into it."""
        members = self.groups.setdefault((group.create.id or group.invite.id).encode(), {asker: None})
        here = (self.devices.get(name.encode()) for name in group.invite.users)
        members.update((device, None) for device in here if device)

    def answer(self, device: "Connection", frame: bytes) -> None:
        """Tell a sender what became of his message."""
        self.write(device, frame)

    def push(self, device: "Connection", frame: bytes) -> None:
        """Send a message to one who has to get it."""
        self.write(device, frame)

    def write(self, device: "Connection", frame: bytes) -> None:
        """Write it with all others of this turn."""
        if not device.out:
            if not self._unwritten:
                asyncio.get_running_loop().call_soon(self._write)
            self._unwritten.append(device)
        device.out.append(frame)

    def _write(self) -> None:
        devices, self._unwritten = self._unwritten, []
        for device in devices:
            data = b"".join(device.out)
            device.out.clear()
            if device.transport:
                device.transport.write(data)


class Connection(asyncio.Protocol):
    """One device."""

    def __init__(self, relay: Relay) -> None:
        self.name = b""
        self.field = b""
        self.out: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self._relay = relay
        self._decoder = FrameDecoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From asyncio."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        """From asyncio."""
        self.transport = None
        if self._relay.devices.get(self.name) is self:
            del self._relay.devices[self.name]
        for members in self._relay.groups.values():
            members.pop(self, None)

    def data_received(self, data: bytes) -> None:
        """From asyncio."""
        decoder = self._decoder
        decoder.feed(data)
        while True:
            decoder.position += len(plain.scan_acks(decoder.data, decoder.position, len(data))) * plain.ACK_BYTES
            data, at = decoder.data, decoder.position
            frame = decoder.next_frame()
            if frame is None:
                return
            text = plain.SCANNERS[plain.receiver_bytes(data, at)].scan(data, at, decoder.limit)
            if text:
                seqid, body, receiver, _ = text
                self._relay.pass_on(self, seqid, body, receiver[2:-1])  # the name, and the mark of a group
            else:
                self._other(*codec.decode(frame))

    def _other(self, command: pb.Command, kind: str) -> None:
        if kind == "connect":
            self.name = command.connect.user.encode()
            self.field = codec.sender_field(command.connect.user)
            self._relay.devices[self.name] = self
            welcome = pb.ConAck(heartbeat_seconds=30, window=256, resume_token="floor")
            self._relay.write(self, codec.frame(pb.Command(version=1, conack=welcome)))
        elif kind == "ping":
            self._relay.write(self, codec.frame(pb.Command(version=1, pong=pb.Pong())))
        elif kind == "request":
            if command.request.type == pb.GROUP:
                self._relay.gather(self, pb.Group.FromString(command.request.payload))
            self._relay.write(self, codec.response(command.request.seqid))
        elif command.HasField("disconnect") and self.transport:
            self.transport.close()


async def serve(relay: Relay) -> None:
    """Listen on a free port, which a line on stderr tells, until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(relay), "127.0.0.1", 0, backlog=_BACKLOG)
    print(json.dumps({"event": "listening", "port": server.sockets[0].getsockname()[1]}), file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Relay()))
