"""What one load process sends and gets: its flows, how long each message took, and what went wrong."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rockdove.bench import checking, texts
from rockdove.bench.checking import Faults
from rockdove.bench.histogram import Histogram
from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from rockdove.bench.device import Device


class Flow:
    """All that one device writes to one user or group. A message is complete when it was answered and all receivers have it."""

    __slots__ = ("_open", "answered", "chat", "conversation", "number", "receivers", "refused", "sender", "sent", "template")

    def __init__(
        self,
        number: int,
        sender: "Device",
        chat: pb.Chat,
        conversation: str,
        template: texts.Template,
        receivers: Sequence["Device"],
    ) -> None:
        self.number = number
        self.chat = chat
        self.sender = sender
        self.conversation = conversation
        self.template = template
        self.receivers = receivers
        self.sent = 0
        self.answered = 0
        self.refused = 0
        self._open: dict[int, int] = {}  # by message: how many have still to get it, the answer included

    def send(self, due_ns: int) -> None:
        """Send the next message, which was due then."""
        number = self.sent
        self.sent = number + 1
        self._open[number] = len(self.receivers) + 1
        self.sender.send(self, texts.Mark(self.number, number, due_ns))

    def came(self, number: int) -> bool:
        """One more has this message; whether it is complete now."""
        left = self._open.get(number, 0) - 1
        if left > 0:
            self._open[number] = left
            return False
        return self._open.pop(number, None) is not None

    def refuse(self, number: int) -> None:
        """The server does not take this message: nobody will get it."""
        self.refused += 1
        self._open.pop(number, None)

    @property
    def incomplete(self) -> int:
        """How many are on their way."""
        return len(self._open)


class Traffic:
    """Shared by all devices of a process.

    `heard` is called when a message was answered, `completed` when it is complete, and `read` for each that is received, with
    its receiver and its seq.
    """

    def __init__(self, tag: bytes, size: int) -> None:
        """`tag` marks the texts of this run, of `size` bytes each."""
        self.tag = tag
        self.size = size
        self.flows: list[Flow] = []
        self.faults: Faults = Faults()
        self.heard: Callable[[Flow], None] = nothing
        self.completed: Callable[[Flow], None] = nothing
        self.read: Callable[[Device, Flow, int], None] = nothing
        self.messages = 0  # complete
        self.deliveries = 0
        self.paced = False  # whether messages are due at times of their own
        self.answers = 0
        self.news = 0  # pushes that want no ack: receipts, presence
        self.heartbeats = Histogram()
        self.forget_times()
        self._unwritten: list[Device] = []

    def open_flow(self, sender: "Device", to: str, chat: pb.Chat, receivers: Sequence["Device"]) -> Flow:
        """A flow from this device to all `receivers`, which are those whom `to` names, a user or a group."""
        conversation = f"#{to}" if chat == pb.GROUP_CHAT else "/".join(sorted((sender.name, to)))
        template = texts.Template(self.tag, sender.name, to, chat, self.size)
        flow = Flow(len(self.flows), sender, chat, conversation, template, receivers)
        self.flows.append(flow)
        for device in (sender, *receivers):
            device.open_inbox(conversation)
        return flow

    def flow(self, number: int) -> Flow | None:
        """The flow with this number."""
        return self.flows[number] if number < len(self.flows) else None

    def came(self, flow: Flow, number: int) -> None:
        """One more, sender or receiver, has heard of a message."""
        if flow.came(number):
            self.messages += 1
            self.completed(flow)

    def forget_times(self) -> None:
        """What is measured begins now."""
        self.sent = Histogram()  # how late the load itself was
        self.answered = Histogram()
        self.received = Histogram()
        self.caught_up = Histogram()  # from a login to what was sent before it

    def times(self) -> dict[str, Histogram]:
        """What was timed since then."""
        return {"sent": self.sent, "answered": self.answered, "received": self.received, "caught_up": self.caught_up}

    @property
    def progress(self) -> int:
        """Grows while anything comes."""
        return self.answers + self.deliveries + self.heartbeats.total

    def check(self) -> None:
        """Count what never came. Everything has settled."""
        for flow in self.flows:
            self.faults[checking.UNANSWERED] += flow.sent - flow.answered - flow.refused
            for device in flow.receivers:
                self.faults[checking.LOST] += device.inboxes[flow.conversation].lacks(flow.number, flow.answered)
        for device in {device for flow in self.flows for device in (flow.sender, *flow.receivers)}:
            self.faults[checking.GAP] += sum(inbox.holes for inbox in device.inboxes.values())

    # ---------------------------------------------------------------- writing, once per device and turn

    def write_later(self, device: "Device") -> None:
        """It has something to write when this turn of the loop ends."""
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._write)
        self._unwritten.append(device)

    def _write(self) -> None:
        devices, self._unwritten = self._unwritten, []
        for device in devices:
            device.flush()


def nothing(*_: object) -> None:
    """Nobody wants to know."""
