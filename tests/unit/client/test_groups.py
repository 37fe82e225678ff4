"""What the verbs of `client.groups` ask for, and what they make of the answers."""

import pytest

from rockdove.client import Group, GroupInfo, Joining, JoinRequest, Member, Policy, Refused, Role
from rockdove.client.groups import Groups
from rockdove.wire import im_pb2 as pb
from tests.unit.client.asked import Asked, all_of, run

TEAM = Group("team")


def test_a_group_gets_a_random_id_or_the_one_that_was_chosen() -> None:
    asked = Asked()
    first, second = run(Groups(asked).create("Team", ["bob"])), run(Groups(asked).create("Team"))
    assert first != second
    assert asked.payloads[0].create == pb.GroupCreate(name="Team", members=["bob"], policy=pb.GroupPolicy(), id=first.id)
    policy = Policy(Joining.OPEN, members_invite=True, only_admins_post=True, history_for_new=True)
    assert run(Groups(asked).create("Team", policy=policy, id="team")) == TEAM
    assert asked.payloads[2].create.policy == pb.GroupPolicy(
        join=pb.GroupPolicy.OPEN, members_invite=True, only_admins_post=True, history_for_new=True
    )


def test_creating_again_after_a_lost_answer_is_no_error_unless_the_id_was_chosen() -> None:
    taken = Refused(pb.ALREADY_EXISTS, "there is a group of that id")
    assert run(Groups(Asked(taken)).create("Team")).id
    with pytest.raises(Refused):
        run(Groups(Asked(taken)).create("Team", id="team"))
    with pytest.raises(Refused):
        run(Groups(Asked(Refused(pb.NOT_FOUND, "there is no user 'bob'"))).create("Team", ["bob"]))


@pytest.mark.parametrize(
    ("verb", "arguments", "named", "asked_for"),
    [
        ("join", (), {}, pb.Group(join=pb.GroupRef(id="team"))),
        ("leave", (), {}, pb.Group(leave=pb.GroupRef(id="team"))),
        ("dissolve", (), {}, pb.Group(dissolve=pb.GroupRef(id="team"))),
        ("invite", (["bob"],), {}, pb.Group(invite=pb.GroupUsers(id="team", users=["bob"]))),
        ("kick", (["bob"],), {"reason": "spam"}, pb.Group(kick=pb.GroupUsers(id="team", users=["bob"], reason="spam"))),
        ("set_role", ("bob", Role.OWNER), {}, pb.Group(role=pb.GroupRole(id="team", user="bob", role=pb.GroupRole.OWNER))),
        ("mute", ("bob", 60), {}, pb.Group(mute=pb.GroupMute(id="team", user="bob", seconds=60))),
        ("mute", (None, 0), {}, pb.Group(mute=pb.GroupMute(id="team"))),
        ("accept", ("bob",), {}, pb.Group(answer=pb.GroupAnswer(id="team", user="bob", accept=True))),
        ("refuse", ("bob",), {"reason": "full"}, pb.Group(answer=pb.GroupAnswer(id="team", user="bob", reason="full"))),
        ("update", (), {"name": ""}, pb.Group(update=pb.GroupUpdate(id="team", name=""))),
        ("update", (), {"policy": Policy()}, pb.Group(update=pb.GroupUpdate(id="team", policy=pb.GroupPolicy()))),
    ],
)
def test_what_a_verb_asks_for(verb: str, arguments: tuple[object, ...], named: dict[str, object], asked_for: pb.Group) -> None:
    asked = Asked()
    run(getattr(Groups(asked), verb)(TEAM, *arguments, **named))
    assert asked.payloads == [asked_for]


def test_a_group_as_it_is_told() -> None:
    wire = pb.GroupInfo(
        id="team",
        name="Team",
        owner="alice",
        size=3,
        policy=pb.GroupPolicy(join=pb.GroupPolicy.APPROVAL, members_invite=True),
        announcement="hello",
        avatar_url="https://example.com/a.png",
        created_at=1,
        version=2,
        muted_until=3,
        role=pb.GroupRole.ADMIN,
        member=True,
    )
    info = GroupInfo(
        TEAM,
        "Team",
        "alice",
        3,
        Policy(Joining.APPROVAL, members_invite=True),
        "hello",
        "https://example.com/a.png",
        created_ms=1,
        version=2,
        muted_until_ms=3,
        member=True,
        role=Role.ADMIN,
    )
    assert run(Groups(Asked(wire)).info(TEAM)) == info
    assert run(all_of(Groups(Asked(pb.GroupList(items=[wire]))).mine())) == [info]


def test_long_lists_come_in_pages() -> None:
    first = pb.GroupMembers(items=[pb.GroupMember(user="alice", role=pb.GroupRole.OWNER, joined_at=1)], next="alice")
    asked = Asked(first, pb.GroupMembers(items=[pb.GroupMember(user="bob", joined_at=2, muted_until=3)]))
    members = run(all_of(Groups(asked).members(TEAM)))
    assert members == [Member("alice", Role.OWNER, 1, 0), Member("bob", Role.MEMBER, 2, 3)]
    assert [payload.members.after for payload in asked.payloads] == ["", "alice"]
    waiting = pb.GroupRequests(items=[pb.GroupRequest(id="team", user="carol", asked_at=5)])
    assert run(all_of(Groups(Asked(waiting)).requests(TEAM))) == [JoinRequest(TEAM, "carol", 5)]
