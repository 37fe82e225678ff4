"""Was every promise kept? The promises about histories are those of tests/history; the others are about pushes."""

from itertools import groupby
from typing import Final

from tests.history.checker import Promise, check
from tests.simulation.device import Device
from tests.simulation.world import World

TURN: Final = 50  # protocol §5 Backlog
# What looks broken when the store refuses a commit and nobody hears of it: a cursor that could not be stored is as good as
# lost, and a message may be stored before an earlier one whose UNAVAILABLE was lost with the connection.
UNSEEN: Final = {Promise.PUSHED_AGAIN, Promise.SENDER_ORDER}


def violations(world: World) -> list[str]:
    """All that was broken, after `world.run()`."""
    if world.violations:
        return world.violations
    names = list(world.users)
    members = {"+".join(sorted({one, other})): {one, other} for one in names for other in names}
    broken = check(world.history, members)
    found = [str(violation) for violation in broken if not (world.store_refused and violation.promise in UNSEEN)]
    found += [unfair for device in world.devices if (unfair := _unfair_turn(world, device))]
    return sorted(found)


def _unfair_turn(world: World, device: Device) -> str:
    """Whether the device's first connection brought one conversation longer than allowed while another one waited."""
    pushes: list[tuple[str, int]] = []
    for connection, conversation, seq in device.pushes:
        if connection != device.pushes[0][0] or (conversation, seq) in pushes:  # from here on it comes again
            break
        if seq <= world.backlog_last.get(conversation, 0):
            pushes.append((conversation, seq))
    turns = [(conversation, len(list(turn))) for conversation, turn in groupby(pushes, key=lambda push: push[0])]
    for number, (conversation, length) in enumerate(turns[:-1]):
        if length > TURN:
            return f"{device} was pushed {length} of {conversation} in a row while {turns[number + 1][0]} waited"
    return ""
