"""What people do with groups."""

from typing import TYPE_CHECKING, Final

from rockdove.wire import im_pb2 as pb

if TYPE_CHECKING:
    from tests.simulation.world import World

FOR_EVER: Final = 100 * 365 * 86_400  # seconds
OPERATIONS: Final = {"join": 8, "leave": 4, "invite": 5, "kick": 6, "mute": 3, "role": 3, "dissolve": 0.2, "create": 0.5}


def _invitable(world: "World", actor: str) -> list[str]:
    """Others who can be members. Without retention nothing is kept for one who has no device and is put out again."""
    known = {device.user for device in world.devices if device.known or world.plan.retention}
    return [name for name in world.users if name != actor and name in known]


def create(world: "World", group: str) -> None:
    """Somebody founds the group, with some of the others."""
    device = world.random.choice(world.devices)
    members = [name for name in _invitable(world, device.user) if world.random.random() < 0.5]
    policy = pb.GroupPolicy(join=pb.GroupPolicy.OPEN, members_invite=True, history_for_new=world.plan.history_for_new)
    device.wish(group, pb.Group(create=pb.GroupCreate(id=group, name=group, members=members, policy=policy)))


def someone_changes_a_group(world: "World", group: str) -> None:
    """Somebody tries to; often one who may."""
    random, members = world.random, world.members(group)
    operation = random.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
    if operation == "create":
        create(world, group)
        return
    others = [device for device in world.devices if device.user not in members]
    leaders = [device for device in world.devices if members.get(device.user, 0) > pb.GroupRole.MEMBER]
    apt = others if operation == "join" else leaders if operation in {"kick", "mute", "role", "dissolve"} else world.devices
    device = random.choice(apt if apt and random.random() < 0.8 else world.devices)
    device.wish(group, _request(world, operation, group, device.user))


def _request(world: "World", operation: str, group: str, actor: str) -> pb.Group:
    random = world.random
    user = random.choice([name for name in world.users if name != actor])
    match operation:
        case "invite":
            users = [name for name in _invitable(world, actor) if random.random() < 0.6]
            return pb.Group(invite=pb.GroupUsers(id=group, users=users))
        case "kick":
            return pb.Group(kick=pb.GroupUsers(id=group, users=[user]))
        case "mute":
            seconds, all_of_them = random.choice([0, FOR_EVER]), random.random() < 0.2
            return pb.Group(mute=pb.GroupMute(id=group, user="" if all_of_them else user, seconds=seconds))
        case "role":
            role = random.choice([pb.GroupRole.MEMBER, pb.GroupRole.ADMIN, pb.GroupRole.OWNER])
            return pb.Group(role=pb.GroupRole(id=group, user=user, role=role))
        case _:
            return pb.Group(**{operation: pb.GroupRef(id=group)})
