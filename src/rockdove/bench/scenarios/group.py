"""Groups in which some write and all read: what one delivery costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rockdove.bench.device import Device
from rockdove.bench.scenarios.plan import option, text_size
from rockdove.bench.scenarios.scenario import CHECK, LOG_IN, Outcome, Step
from rockdove.bench.scenarios.talking import WARM_UP, ClosedLoop
from rockdove.wire import im_pb2 as pb

_INVITED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """As the options say."""

    members: int = option(100, "Members of each group.", 2)
    groups: int = option(1, "Groups. Each is the work of one load process.")
    talkers: int = option(10, "Members of each group who write.")
    window: int = option(4, "Messages of each of them that are under way.")
    seconds: float = option(5.0, "How long to measure.", 0.1)
    warm_up: float = option(1.0, "Seconds of the same before that.", 0)
    size: int = text_size()

    @property
    def users(self) -> int:
        """All members; nobody is in two groups."""
        return self.members * self.groups


class Group(ClosedLoop):
    """A closed loop: the next message goes out when all members have one."""

    PLAN = GroupPlan
    STEPS: ClassVar = (
        LOG_IN,
        Step("gather"),
        WARM_UP,
        Step("talk", "delivery", seconds="seconds"),
        CHECK,
    )
    plan: GroupPlan

    @property
    def done(self) -> int:
        """What costs is each delivery."""
        return self.traffic.deliveries

    async def log_in(self) -> Outcome:
        """Everybody comes."""
        for group in self.setting.share.of(self.plan.groups):
            for member in range(self.plan.members):
                self.device(group * self.plan.members + member)
        return await self.enter(self.devices)

    async def gather(self) -> Outcome:
        """The groups are founded."""
        for first in range(0, len(self.devices), self.plan.members):
            members = self.devices[first : first + self.plan.members]
            await gather_group(f"{members[0].name}-group", members)
            for talker in members[: self.plan.talkers]:
                readers = [member for member in members if member is not talker]
                self.traffic.open_flow(talker, f"{members[0].name}-group", pb.GROUP_CHAT, readers)
        return Outcome()


async def gather_group(name: str, members: Sequence[Device]) -> None:
    """The first of them founds a group and invites the others. Raises BenchError."""
    owner, others = members[0], [member.name for member in members[1:]]
    await owner.ask(pb.GROUP, pb.Group(create=pb.GroupCreate(name=name, id=name)).SerializeToString())
    for first in range(0, len(others), _INVITED_AT_ONCE):
        invited = pb.GroupUsers(id=name, users=others[first : first + _INVITED_AT_ONCE])
        await owner.ask(pb.GROUP, pb.Group(invite=invited).SerializeToString())
