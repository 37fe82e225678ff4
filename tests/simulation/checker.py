"""Was every promise kept? The promises about histories are those of tests/history; the others are about pushes."""

from itertools import groupby
from typing import Final

from tests.history.checker import check
from tests.history.content import group_conversation, is_group, single_conversation
from tests.history.evidence import Evidence
from tests.history.promises import Promise
from tests.simulation.device import Device
from tests.simulation.world import World

TURN: Final = 50  # protocol §5 Backlog


def _only_seems_broken(world: World, promise: Promise) -> bool:
    """What looks broken when nobody hears of a refusal.

    A cursor that could not be stored is as good as lost, and a message may be stored before an earlier one whose refusal was
    lost with the connection.
    """
    if promise is Promise.SENDER_ORDER:
        return world.disk.refused or world.strangers_refused
    return promise is Promise.PUSHED_AGAIN and world.disk.refused


def violations(world: World) -> list[str]:
    """All that was broken, after `world.run()`."""
    if world.violations:
        return world.violations
    names = list(world.users)
    members = {single_conversation(one, other): {one, other} for one in names for other in names}
    broken = check(world.history, members)
    found = [str(violation) for violation in broken if not _only_seems_broken(world, violation.promise)]
    found += [unfair for device in world.devices if (unfair := _unfair_turn(world, device))]
    found += _unlike_their_logs(world, Evidence(world.history, members))
    return sorted(found)


def _unlike_their_logs(world: World, evidence: Evidence) -> list[str]:
    """Groups whose members, as the store has them, are not those of their notices."""
    found = []
    for group in world.plan.groups:
        stored = world.members(group)
        log = evidence.groups.get(group_conversation(group))
        told = dict(log.states[-1].roles) if log else {}
        if stored != told:
            found.append(f"the members of {group} are {stored}, by its log {told}")
    return found


def _unfair_turn(world: World, device: Device) -> str:
    """Whether the device's first connection brought one conversation longer than allowed while another one waited."""
    pushes: list[tuple[str, int]] = []
    for connection, conversation, seq in device.pushes:
        if connection != device.pushes[0][0] or (conversation, seq) in pushes:  # from here on it comes again
            break
        if seq <= world.backlog_last.get(conversation, 0) or is_group(conversation):
            pushes.append((conversation, seq))
    turns = [(conversation, len(list(turn))) for conversation, turn in groupby(pushes, key=lambda push: push[0])]
    for number, (conversation, length) in enumerate(turns):
        waiting = [other for other, _ in turns[number + 1 :] if other != conversation and not is_group(other)]
        if waiting and length > TURN and not is_group(conversation):
            return f"{device} was pushed {length} of {conversation} in a row while {waiting[0]} waited"
    return ""
