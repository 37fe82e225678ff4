"""Who is here, and who is typing. Never stored (protocol §6)."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

from rockdove.client.asking import Ask, chunks
from rockdove.client.errors import Disconnected
from rockdove.client.peer import Peer, wire_chat, wire_name
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import QUERY_NAMES


class Here(IntEnum):
    """Whether somebody is here."""

    OFFLINE = pb.Presence.OFFLINE
    ONLINE = pb.Presence.ONLINE
    AWAY = pb.Presence.AWAY


@dataclass(frozen=True, slots=True)
class Status:
    """What others see of a user. `text` is what he wrote about it; `last_seen_ms` since the Unix epoch."""

    user: str
    here: int  # a Here; an int, because a newer server may know more of them
    last_seen_ms: int
    text: str


def read_status(wire: pb.PresenceState) -> Status:
    """A status from the wire."""
    return Status(wire.user, int(wire.state), wire.last_seen, wire.text)


class Presence:
    """`client.presence`."""

    def __init__(self, ask: Ask, keep: Callable[[pb.Presence], None]) -> None:
        self._ask = ask
        self._keep = keep

    async def set(self, here: Here, text: str = "") -> None:
        """Tell friends and whom you talk to that you are ONLINE, AWAY or invisible (OFFLINE); `text` up to 128 bytes.

        It holds until it is set anew, also over a lost connection. Raises Refused.
        """
        publish = pb.Presence(publish=pb.Presence.Publish(state=here.value, text=text))
        self._keep(publish)
        await self._ask(publish)

    async def typing(self, peer: Peer) -> None:
        """Tell the peer that you are writing. Without a connection nothing happens. Raises Refused."""
        publish = pb.Presence.Publish(state=pb.Presence.TYPING, chat=wire_chat(peer), peer=wire_name(peer))
        with suppress(Disconnected):
            await self._ask(pb.Presence(publish=publish), again=False)

    async def query(self, users: Iterable[str]) -> list[Status]:
        """How it stands with these users. Raises Refused."""
        found: list[Status] = []
        for some in chunks(users, QUERY_NAMES):
            answer = await self._ask(pb.Presence(query=pb.Presence.Query(users=some)))
            found += map(read_status, pb.PresenceList.FromString(answer).items)
        return found
