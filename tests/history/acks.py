"""Which acks the server must have processed, as seen from outside.

Requests of one connection take effect in order (protocol §4). So an ack has taken effect once anything that the
device sent after it on the same connection was answered. It is on disk once that was a new message, since
the answer to one waits for the disk.
"""

from collections import Counter
from collections.abc import Iterator

from tests.history.events import Acked, Invoked, Killed, Pinged, Ponged, Received, Refused, Sent
from tests.history.evidence import Device, Evidence

Cursors = Counter[str]  # conversation -> seq; `|` takes the higher of each


class _Connection:
    def __init__(self) -> None:
        self.pushed: dict[int, tuple[str, int]] = {}
        self.acked: Cursors = Counter()
        self.pings: list[Cursors] = []  # what was acked before each unanswered ping
        self.sends: dict[int, list[tuple[Cursors, bool]]] = {}  # the same per seqid; whether it is the first attempt
        self.server_lives = True


def settled_acks(evidence: Evidence) -> Iterator[tuple[Received, int]]:
    """Each push, with the highest seq of its conversation that the server knew this device to have acknowledged."""
    connections: dict[int, _Connection] = {}
    in_memory: dict[Device, Cursors] = {device: Counter() for device in evidence.devices}
    on_disk: dict[Device, Cursors] = {device: Counter() for device in evidence.devices}
    tried: set[tuple[Device, int]] = set()
    for event in evidence.history:
        if isinstance(event, Killed):
            in_memory = dict(on_disk)
            for connection in connections.values():
                connection.server_lives = False
            continue
        device = evidence.connections[event.connection]
        connection = connections.setdefault(event.connection, _Connection())
        match event:
            case Received(_, msgid, seq, conversation):
                connection.pushed[msgid] = (conversation, seq)
                yield event, in_memory[device][conversation]
            case Acked(_, msgid) if msgid in connection.pushed:
                conversation, seq = connection.pushed[msgid]
                connection.acked |= Counter({conversation: seq})
            case Pinged():
                connection.pings.append(connection.acked.copy())
            case Invoked(_, seqid):
                first = (device, seqid) not in tried
                connection.sends.setdefault(seqid, []).append((connection.acked.copy(), first))
                tried.add((device, seqid))
            case Ponged() if connection.server_lives:
                in_memory[device] = in_memory[device] | connection.pings.pop(0)
            case Sent(_, seqid) | Refused(_, seqid):
                acked, first = connection.sends[seqid].pop(0)
                if first and isinstance(event, Sent):
                    on_disk[device] = on_disk[device] | acked
                if connection.server_lives or (first and isinstance(event, Sent)):
                    in_memory[device] = in_memory[device] | acked
            case _:
                pass
