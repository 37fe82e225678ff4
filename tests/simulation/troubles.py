"""What people, clients and networks get into."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rockdove.core.records import UserState
from tests.simulation.clock import MS, at_once
from tests.simulation.device import Device, Line

if TYPE_CHECKING:
    from tests.simulation.world import World


def _any_line(world: "World") -> tuple[Device, Line] | None:
    online = [(device, device.line) for device in world.devices if device.line is not None]
    device, line = world.random.choice(online) if online else (None, None)
    return (device, line) if device is not None and line is not None else None


def _hang_up(world: "World") -> None:
    world.random.choice(world.devices).hang_up()


def _connect_twice(world: "World") -> None:
    device = world.random.choice(world.devices)
    for _ in range(world.random.choice([1, 1, 2])):
        device.connect()


def _stop_reading(world: "World") -> None:
    if (found := _any_line(world)) is not None:
        connection = found[1].connection
        connection.client_reads = False
        world.clock.after(world.random.choice([100, 5_000, 60_000]) * MS, connection.go_on_reading)


def _stay_away(world: "World") -> None:
    device = world.random.choice(world.devices)
    device.wanted = False
    device.hang_up()

    def come_back() -> None:
        device.wanted = True
        device.connect_soon()

    world.clock.after(world.random.choice([500, 20_000]) * MS, come_back)


def _change_password(world: "World") -> None:
    name = world.random.choice(list(world.users))
    world.passwords[name] += "'"
    at_once(world.accounts.set_user(world.users[name].id, password_hash="another hash"))


def _disable(world: "World") -> None:
    user = world.random.choice(list(world.users.values()))
    at_once(world.accounts.set_user(user.id, state=UserState.DISABLED))
    delay_us = world.random.choice([500, 5_000]) * MS
    world.clock.after(delay_us, lambda: at_once(world.accounts.set_user(user.id, state=UserState.ACTIVE)))


def _forbid_strangers(world: "World") -> None:
    world.set_tenant(strangers=False)
    world.strangers_refused = True
    world.clock.after(world.random.choice([500, 5_000]) * MS, lambda: world.set_tenant(strangers=True))


TROUBLES: Final[list[Callable[["World"], None]]] = [
    _hang_up,
    _connect_twice,
    _connect_twice,
    _stop_reading,
    _stay_away,
    _change_password,
    _disable,
    _forbid_strangers,
]

# ---------------------------------------------------------------- of nodes


def _freeze(world: "World") -> None:
    world.random.choice(world.servers).freeze(world.random.choice([5_000, 20_000, 40_000]))


def _cut_off(world: "World") -> None:
    world.random.choice(world.servers).cut_off(world.random.choice([50, 3_000, 20_000]))


def _leave(world: "World") -> None:
    world.random.choice(world.servers).leave()


NODE_TROUBLES: Final[list[Callable[["World"], None]]] = [_freeze, _cut_off, _cut_off, _leave, _connect_twice, _connect_twice]
