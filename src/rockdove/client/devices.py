"""This user's devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from rockdove.client.asking import Ask
from rockdove.wire import im_pb2 as pb


@dataclass(frozen=True, slots=True)
class Device:
    """An installation that has logged in as this user. `client` is what it calls itself."""

    device: str
    client: str
    online: bool
    last_seen_ms: int  # since the Unix epoch


class Devices:
    """`client.devices`. Every verb raises Refused."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def list(self) -> Sequence[Device]:
        """All of them."""
        answer = pb.DeviceList.FromString(await self._ask(pb.User(devices=pb.ListDevices())))
        return [Device(item.device, item.client, item.online, item.last_seen) for item in answer.items]

    async def kick(self, device: str) -> None:
        """End its connection; it must log in with the password again."""
        await self._ask(pb.User(kick=pb.DeviceRef(device=device)))
