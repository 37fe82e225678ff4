"""Which acks the server must have processed, as seen from outside.

What one connection sends takes effect in order (protocol §4). So an ack has taken effect once anything that the device
sent after it on the same connection was answered, and a heartbeat is answered when the acks before it are on disk.
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
        self.sends: dict[int, list[Cursors]] = {}  # the same for sends, by seqid
        self.server_lives = True


def settled_acks(evidence: Evidence) -> Iterator[tuple[Received, int]]:
    """Each push, with the highest seq of its conversation that the server knew this device to have acknowledged."""
    connections: dict[int, _Connection] = {}
    in_memory: dict[Device, Cursors] = {device: Counter() for device in evidence.devices}
    on_disk: dict[Device, Cursors] = {device: Counter() for device in evidence.devices}
    for event in evidence.history:
        if isinstance(event, Killed):
            in_memory = dict(on_disk)
            for connection in connections.values():
                connection.server_lives = False
            continue
        if event.connection not in evidence.connections:  # a login on its way, perhaps for ever
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
                connection.sends.setdefault(seqid, []).append(connection.acked.copy())
            case Ponged():
                acked = connection.pings.pop(0)
                on_disk[device] = on_disk[device] | acked
                in_memory[device] = in_memory[device] | acked
            case Sent(_, seqid) | Refused(_, seqid):
                acked = connection.sends[seqid].pop(0)
                if connection.server_lives:
                    in_memory[device] = in_memory[device] | acked
            case _:
                pass
