"""Devices and their cursors in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from rockdove.core.records import Device, DeviceState, Hold


@dataclass
class Installation:
    """A device, with all that is known of it."""

    id: int
    user: int
    name: str
    client: str
    last_seen_ms: int
    last_seqid: int = 0
    kicked_ms: int = 0
    login: int = 0
    holder: int = 0


class MemoryDevices:
    """The devices of all users."""

    def __init__(self) -> None:
        self._devices: dict[int, Installation] = {}
        self._cursors: dict[tuple[int, int], int] = {}  # by device and conversation

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int = 0) -> Device:
        device = self._device(user, name) or self._add_device(user, name, client, now_ms)
        device.client = client
        before = device.holder
        if node:
            device.login, device.holder = device.login + 1, node
        return Device(device.id, device.last_seqid, device.kicked_ms, device.login, before)

    async def give_back(self, user: int, name: str, taken: Hold, before: Hold) -> None:
        device = self._device(user, name)
        if device is not None and (device.login, device.holder) == taken:
            device.login, device.holder = before

    def _add_device(self, user: int, name: str, client: str, now_ms: int) -> Installation:
        siblings = [sibling.id for sibling in self._devices_of(user)]
        device = Installation(len(self._devices) + 1, user, name, client, now_ms)
        self._devices[device.id] = device
        for (sibling, conversation), seq in list(self._cursors.items()):
            if sibling in siblings:
                self._move_cursor(device.id, conversation, seq)
        return device

    async def device(self, user: int, name: str) -> Device | None:
        device = self._device(user, name)
        return Device(device.id, device.last_seqid, device.kicked_ms, device.login, device.holder) if device else None

    async def devices(self, user: int) -> Sequence[DeviceState]:
        mine = sorted(self._devices_of(user), key=lambda device: device.name)
        return [DeviceState(device.id, device.name, device.client, device.last_seen_ms) for device in mine]

    def _device(self, user: int, name: str) -> Installation | None:
        return next((device for device in self._devices_of(user) if device.name == name), None)

    def _devices_of(self, user: int) -> list[Installation]:
        return [device for device in self._devices.values() if device.user == user]

    def _move_cursor(self, device: int, conversation: int, seq: int) -> None:
        self._cursors[device, conversation] = max(seq, self._cursor(device, conversation))

    def _cursor(self, device: int, conversation: int) -> int:
        return self._cursors.get((device, conversation), 0)
