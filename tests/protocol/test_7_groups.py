"""Protocol §7: groups."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import UserState
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import Client
from tests.protocol.storage import on_one_node
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import OTHER_TENANT, World, add_users, change_tenant, change_user, live
from tests.raw import sending, text_message, text_of

OPEN, APPROVAL, INVITE = pb.GroupPolicy.OPEN, pb.GroupPolicy.APPROVAL, pb.GroupPolicy.INVITE
MEMBER, ADMIN, OWNER = pb.GroupRole.MEMBER, pb.GroupRole.ADMIN, pb.GroupRole.OWNER
GROUP = pb.GROUP_CHAT


# ---------------------------------------------------------------- what is asked


def ask(client: Client, **operation: Any) -> pb.Response:
    """Any request about groups; its answer."""
    return client.ask(pb.GROUP, pb.Group(**operation).SerializeToString())


def request(seqid: int, **operation: Any) -> pb.Command:
    """The same, to be written together with others."""
    payload = pb.Group(**operation).SerializeToString()
    return pb.Command(version=1, request=pb.Request(type=pb.GROUP, payload=payload, seqid=seqid))


def create(client: Client, *members: str, id: str = "team", name: str = "Team", **policy: Any) -> pb.GroupInfo:  # noqa: A002
    """A new group."""
    reply = ask(client, create=pb.GroupCreate(name=name, members=members, policy=pb.GroupPolicy(**policy), id=id))
    assert reply.code == pb.OK, reply
    return pb.GroupInfo.FromString(reply.payload)


def join(client: Client, group: str = "team") -> int:
    return ask(client, join=pb.GroupRef(id=group)).code


def leave(client: Client, group: str = "team") -> int:
    return ask(client, leave=pb.GroupRef(id=group)).code


def dissolve(client: Client, group: str = "team") -> int:
    return ask(client, dissolve=pb.GroupRef(id=group)).code


def invite(client: Client, *users: str, group: str = "team") -> int:
    return ask(client, invite=pb.GroupUsers(id=group, users=users)).code


def kick(client: Client, *users: str, group: str = "team", reason: str = "") -> int:
    return ask(client, kick=pb.GroupUsers(id=group, users=users, reason=reason)).code


def update(client: Client, group: str = "team", **changes: Any) -> int:
    return ask(client, update=pb.GroupUpdate(id=group, **changes)).code


def set_role(client: Client, user: str, role: int, group: str = "team") -> int:
    return ask(client, role=pb.GroupRole(id=group, user=user, role=role)).code  # type: ignore[arg-type]


def mute(client: Client, user: str, seconds: int, group: str = "team") -> int:
    return ask(client, mute=pb.GroupMute(id=group, user=user, seconds=seconds)).code


def answer(client: Client, user: str, accept: bool, reason: str = "") -> int:
    return ask(client, answer=pb.GroupAnswer(id="team", user=user, accept=accept, reason=reason)).code


def info(client: Client, group: str = "team") -> pb.GroupInfo:
    reply = ask(client, info=pb.GroupRef(id=group))
    assert reply.code == pb.OK, reply
    return pb.GroupInfo.FromString(reply.payload)


def members(client: Client, **fields: Any) -> pb.GroupMembers:
    reply = ask(client, members=pb.GroupMembersQuery(id="team", **fields))
    assert reply.code == pb.OK, reply
    return pb.GroupMembers.FromString(reply.payload)


def roles(client: Client) -> dict[str, int]:
    """Who is in the group, and as what."""
    return {member.user: member.role for member in members(client).items}


def requests(client: Client, **fields: Any) -> pb.GroupRequests:
    reply = ask(client, requests=pb.GroupRequestsQuery(id="team", **fields))
    assert reply.code == pb.OK, reply
    return pb.GroupRequests.FromString(reply.payload)


def text(words: str, group: str = "team", **fields: Any) -> pb.Message:
    """A text for a group."""
    message = text_message(group, words)
    message.MergeFrom(pb.Message(chat=GROUP, **fields))
    return message


def post(client: Client, words: str, group: str = "team", **fields: Any) -> int:
    """Say something in a group; the Code of the answer."""
    return client.send(text(words, group, **fields)).code


# ---------------------------------------------------------------- what comes of it


def line(message: pb.Message) -> tuple[Any, ...]:
    """A message in short: who said what, or what the notice says."""
    if message.type != pb.NOTICE:
        return getattr(message, "from"), text_of(message)
    assert not getattr(message, "from")
    notice = pb.Notice.FromString(message.payload)
    return (notice.kind, notice.actor, *notice.users, *([notice.text] if notice.text else []))


def lines(messages: Iterable[pb.Message]) -> list[tuple[Any, ...]]:
    return [line(message) for message in messages]


def heard(client: Client) -> list[tuple[Any, ...]]:
    """What was pushed to this device by now."""
    return lines(client.messages())


def log(client: Client, group: str = "team") -> list[tuple[Any, ...]]:
    """All of it that this user may read."""
    return lines(client.pull(group, chat=GROUP, limit=200).messages)


def events(client: Client) -> list[pb.GroupRequest]:
    """What was pushed about requests to join."""
    return [pb.Group.FromString(push.payload).event for push in client.pushes(pb.GROUP)]


@pytest.fixture
def carol(world: World) -> Client:
    return live(world, "carol", "phone")


@pytest.fixture
def team(alice: Client, bob: Client, carol: Client) -> None:
    """A group of three, of which everything was heard."""
    create(alice, "bob", "carol")
    for client in (alice, bob, carol):
        assert heard(client) == [("group.created", "alice", "bob", "carol")]


# ---------------------------------------------------------------- beginning


def test_an_open_group_gathers_and_everyone_gets_everything_in_order(alice: Client, bob: Client, carol: Client) -> None:
    everyone = {"alice": alice, "bob": bob, "carol": carol}
    create(alice, join=OPEN)
    again = pb.GroupCreate(id="team", policy=pb.GroupPolicy(join=OPEN))
    assert ask(bob, create=again).code == ask(carol, create=again).code == pb.ALREADY_EXISTS
    assert join(bob) == join(carol) == pb.OK
    for number in range(10):
        for name, client in everyone.items():
            assert post(client, f"{name} {number}") == pb.OK
    talk = [(name, f"{name} {number}") for number in range(10) for name in everyone]
    coming = [("group.created", "alice"), ("group.joined", "bob", "bob"), ("group.joined", "carol", "carol")]
    for position, (name, client) in enumerate(everyone.items()):
        messages = client.messages()
        assert lines(messages) == coming[position:] + [said for said in talk if said[0] != name]
        own = {seq for seq, said in enumerate(talk, 4) if said[0] == name}
        assert [message.seq for message in messages] == [seq for seq in range(position + 1, 34) if seq not in own]


def test_the_founder_is_told_what_was_made(alice: Client) -> None:
    made = create(alice, "bob", join=APPROVAL, members_invite=True)
    assert (made.id, made.name, made.owner, made.size, made.version) == ("team", "Team", "alice", 2, 1)
    assert (made.role, made.member) == (OWNER, True)
    assert (made.policy.join, made.policy.members_invite, made.policy.only_admins_post) == (APPROVAL, True, False)
    assert made == info(alice)


def test_without_an_id_the_server_gives_one(alice: Client) -> None:
    one, other = create(alice, id=""), create(alice, id="")
    assert one.id
    assert other.id not in {"", one.id}
    assert info(alice, one.id) == one


def test_notices_reach_every_device_of_every_member(world: World, alice: Client, bob: Client) -> None:
    laptops = [live(world, name, "laptop") for name in ("alice", "bob")]
    create(alice, "bob")
    set_role(alice, "bob", ADMIN)
    wanted = [("group.created", "alice", "bob"), ("group.role", "alice", "bob", "admin")]
    for client in (alice, bob, *laptops):
        assert heard(client) == wanted
        assert log(client) == wanted


def test_who_was_away_gets_the_notices_later(world: World, alice: Client) -> None:
    create(alice, "bob")
    post(alice, "hello")
    assert heard(live(world, "bob", "phone")) == [("group.created", "alice", "bob"), ("alice", "hello")]


def test_whoever_is_named_twice_or_founds_the_group_is_in_it_once(alice: Client) -> None:
    assert create(alice, "bob", "alice", "bob").size == 2
    assert roles(alice) == {"alice": OWNER, "bob": MEMBER}
    assert log(alice) == [("group.created", "alice", "bob")]


def test_the_first_missing_member_is_named(world: World, alice: Client) -> None:
    change_user(world, "dave", state=UserState.REMOVED)
    for names, missing in ((["bob", "nobody", "nemo"], "nobody"), (["dave", "bob"], "dave"), (["erin"], "erin")):
        reply = ask(alice, create=pb.GroupCreate(id="team", members=names))
        assert (reply.code, reply.reason) == (pb.NOT_FOUND, f"there is no user {missing!r}: check the name")
    assert ask(alice, info=pb.GroupRef(id="team")).code == pb.NOT_FOUND


@pytest.mark.parametrize(
    "operation",
    [
        pb.Group(create=pb.GroupCreate(id="no spaces")),
        pb.Group(create=pb.GroupCreate(id="x" * 65)),
        pb.Group(create=pb.GroupCreate(members=["no spaces"])),
        pb.Group(create=pb.GroupCreate(members=[""])),
        pb.Group(create=pb.GroupCreate(name="x" * 129)),
        pb.Group(create=pb.GroupCreate(name="a\nb")),
        pb.Group(create=pb.GroupCreate(policy=pb.GroupPolicy(join=7))),  # type: ignore[arg-type]
        pb.Group(info=pb.GroupRef()),
        pb.Group(join=pb.GroupRef(id="no spaces")),
        pb.Group(kick=pb.GroupUsers(id="team", users=["alice"])),
        pb.Group(kick=pb.GroupUsers(id="team", users=["bob"], reason="x" * 513)),
        pb.Group(update=pb.GroupUpdate(id="team", name="x" * 129)),
        pb.Group(update=pb.GroupUpdate(id="team", name="\x07")),
        pb.Group(update=pb.GroupUpdate(id="team", announcement="x" * 4097)),
        pb.Group(update=pb.GroupUpdate(id="team", announcement="a\0b")),
        pb.Group(update=pb.GroupUpdate(id="team", avatar_url="x" * 2049)),
        pb.Group(update=pb.GroupUpdate(id="team", policy=pb.GroupPolicy(join=7))),  # type: ignore[arg-type]
        pb.Group(update=pb.GroupUpdate(id="team", owner="")),
        pb.Group(role=pb.GroupRole(id="team", user="bob", role=7)),  # type: ignore[arg-type]
        pb.Group(role=pb.GroupRole(id="team", user="alice", role=MEMBER)),
        pb.Group(members=pb.GroupMembersQuery(id="team", after="nobody")),
        pb.Group(list=pb.ListGroups(after="nothing")),
        pb.Group(event=pb.GroupRequest(id="team", user="bob")),
        pb.Group(),
        b"\xff",
    ],
)
def test_what_is_no_request_is_refused_and_changes_nothing(virtual: VirtualWorld, operation: pb.Group | bytes) -> None:
    alice = live(virtual, "alice")
    create(alice, "bob")
    payload = operation if isinstance(operation, bytes) else operation.SerializeToString()
    reply = alice.ask(pb.GROUP, payload)
    assert reply.code == pb.INVALID_ARGUMENT
    assert reply.reason
    assert info(alice).version == 1
    assert len(log(alice)) == 1
    assert [item.id for item in pb.GroupList.FromString(ask(alice, list=pb.ListGroups()).payload).items] == ["team"]


def test_a_full_group_takes_nobody_more(make_world: Callable[..., World]) -> None:
    world = make_world(group_max_members=3)
    alice, dave = live(world, "alice"), live(world, "dave")
    too_many = ask(alice, create=pb.GroupCreate(id="team", members=["bob", "carol", "dave"]))
    assert (too_many.code, too_many.reason.startswith("group is full")) == (pb.FAILED_PRECONDITION, True)
    create(alice, "bob", join=OPEN)
    assert invite(alice, "carol", "dave") == pb.FAILED_PRECONDITION
    assert roles(alice) == {"alice": OWNER, "bob": MEMBER}
    assert join(dave) == pb.OK
    assert invite(alice, "carol") == pb.FAILED_PRECONDITION
    assert invite(alice, "dave") == pb.OK
    assert join(live(world, "carol")) == pb.FAILED_PRECONDITION
    assert leave(dave) == pb.OK
    assert join(dave) == pb.OK


def test_many_members_are_told_of_in_several_notices(virtual: VirtualWorld) -> None:
    names = [f"user{number:04}" for number in range(1_100)]
    add_users(virtual, names)
    alice, first, last = (live(virtual, name) for name in ("alice", names[0], names[-1]))
    create(alice, *names)
    for client in (alice, first, last):
        assert [(kind, len(users)) for kind, _, *users in heard(client)] == [
            ("group.created", 500),
            ("group.joined", 500),
            ("group.joined", 100),
        ]
    assert kick(alice, *names[1:]) == pb.OK
    assert [(kind, len(users)) for kind, _, *users in heard(last)] == [("group.kicked", n) for n in (500, 500, 99)]
    assert info(first).size == 2
    post(alice, "only us two")
    assert len(log(first)) == 7
    assert len(log(last)) == 6


# ---------------------------------------------------------------- coming


def test_one_comes_into_a_closed_group_by_invitation_only(world: World, alice: Client, bob: Client) -> None:
    create(alice)
    assert join(bob) == pb.PERMISSION_DENIED
    assert invite(alice, "bob") == pb.OK
    assert join(bob) == pb.OK
    assert log(alice) == [("group.created", "alice"), ("group.joined", "alice", "bob")]


def test_a_request_to_join_is_told_to_admins_who_accept_it(
    team: None, world: World, alice: Client, bob: Client, carol: Client
) -> None:
    update(alice, policy=pb.GroupPolicy(join=APPROVAL))
    set_role(alice, "bob", ADMIN)
    dave = live(world, "dave")
    assert join(dave) == join(dave) == pb.OK  # asked once
    (asked,) = requests(bob).items
    assert (asked.id, asked.user, asked.refused) == ("team", "dave", False)
    assert asked.asked_at
    assert events(alice) == events(bob) == [asked]
    assert not events(carol)
    assert "dave" not in roles(alice)
    assert post(dave, "let me in") == pb.PERMISSION_DENIED
    assert answer(carol, "dave", True) == pb.PERMISSION_DENIED
    assert answer(bob, "dave", True) == pb.OK
    assert answer(alice, "dave", True) == pb.OK  # it has been
    assert not requests(bob).items
    assert heard(dave) == [("group.joined", "bob", "dave")]
    assert log(alice)[-1] == ("group.joined", "bob", "dave")


def test_who_is_refused_hears_why_and_may_ask_again(world: World, alice: Client, bob: Client) -> None:
    create(alice, join=APPROVAL)
    join(bob)
    assert answer(alice, "bob", False, "members only") == pb.OK
    assert answer(alice, "bob", False, "members only") == pb.OK
    (refused,) = events(bob)
    assert (refused.id, refused.user, refused.refused, refused.reason) == ("team", "bob", True, "members only")
    assert answer(alice, "bob", True) == pb.NOT_FOUND
    assert join(bob) == pb.OK
    assert len(events(alice)) == 2


def test_a_request_can_be_withdrawn(alice: Client, bob: Client) -> None:
    create(alice, join=APPROVAL)
    join(bob)
    assert leave(bob) == pb.OK
    assert not requests(alice).items
    assert answer(alice, "bob", True) == pb.NOT_FOUND
    assert leave(bob) == pb.PERMISSION_DENIED


def test_an_invitation_settles_a_request(alice: Client, bob: Client) -> None:
    create(alice, join=APPROVAL)
    join(bob)
    invite(alice, "bob")
    assert not requests(alice).items
    assert "bob" in roles(alice)


def test_members_invite_where_the_group_lets_them(team: None, world: World, alice: Client, bob: Client) -> None:
    assert invite(bob, "dave") == pb.PERMISSION_DENIED
    update(alice, policy=pb.GroupPolicy(members_invite=True))
    assert invite(bob, "dave") == pb.OK
    assert log(alice)[-1] == ("group.joined", "bob", "dave")
    assert invite(live(world, "erin", org=OTHER_TENANT[0], appkey=OTHER_TENANT[1]), "dave") == pb.NOT_FOUND


def test_inviting_oneself_and_those_who_are_in_does_nothing(team: None, alice: Client) -> None:
    assert invite(alice, "alice", "bob", "bob") == pb.OK
    assert (info(alice).version, len(log(alice))) == (1, 1)


def test_nobody_is_dragged_into_a_group_by_one_he_has_blocked(world: World, alice: Client, bob: Client) -> None:
    bob.ask(pb.CONTACT, pb.Contact(block=pb.ContactRef(user="alice")).SerializeToString())
    create(alice)
    refused = ask(alice, invite=pb.GroupUsers(id="team", users=["carol", "bob"]))
    assert (refused.code, refused.reason) == (
        pb.PERMISSION_DENIED,
        "you and 'bob' are not friends: send a contact request first",
    )
    assert roles(alice) == {"alice": OWNER}  # all or nothing
    assert ask(alice, create=pb.GroupCreate(id="trap", members=["bob"])).code == pb.PERMISSION_DENIED
    assert ask(alice, info=pb.GroupRef(id="trap")).code == pb.NOT_FOUND


def test_where_strangers_do_not_write_they_do_not_invite(make_world: Callable[..., World]) -> None:
    world = make_world()
    change_tenant(world, strangers=False)
    alice, bob = live(world, "alice"), live(world, "bob")
    create(alice, join=OPEN)
    refused = ask(alice, invite=pb.GroupUsers(id="team", users=["bob"]))
    assert (refused.code, refused.reason) == (
        pb.PERMISSION_DENIED,
        "you and 'bob' are not friends: send a contact request first",
    )
    assert join(bob) == pb.OK  # of his own accord
    assert post(bob, "hello") == pb.OK


# ---------------------------------------------------------------- what a member may see


def test_new_members_see_messages_from_their_joining_on(alice: Client, bob: Client) -> None:
    create(alice)
    post(alice, "before")
    invite(alice, "bob")
    post(alice, "after")
    assert heard(bob) == log(bob) == [("group.joined", "alice", "bob"), ("alice", "after")]
    assert bob.pull("team", chat=GROUP).messages[0].seq == 3


def test_new_members_see_everything_where_the_group_lets_them(world: World, alice: Client, bob: Client) -> None:
    create(alice, history_for_new=True, join=OPEN)
    post(alice, "before")
    join(bob)
    post(alice, "after")
    whole = [("group.created", "alice"), ("alice", "before"), ("group.joined", "bob", "bob"), ("alice", "after")]
    assert log(bob) == whole
    assert heard(bob) == whole
    invite(alice, "carol")
    assert heard(live(world, "carol")) == [*whole, ("group.joined", "alice", "carol")]


@pytest.mark.parametrize("how", ["left", "kicked"])
def test_who_has_gone_gets_nothing_more_and_can_read_what_he_saw(
    team: None, world: World, alice: Client, bob: Client, carol: Client, how: str
) -> None:
    tablet = live(world, "bob", "tablet")
    post(alice, "before")
    assert (leave(bob) if how == "left" else kick(alice, "bob", reason="noise")) == pb.OK
    post(alice, "after")
    going = ("group.left", "bob", "bob") if how == "left" else ("group.kicked", "alice", "bob", "noise")
    assert heard(bob) == heard(tablet)[1:] == [("alice", "before"), going]
    assert log(bob) == [("group.created", "alice", "bob", "carol"), ("alice", "before"), going]
    assert post(bob, "am I heard?") == pb.PERMISSION_DENIED
    assert heard(carol) == [("alice", "before"), going, ("alice", "after")]
    (talk,) = bob.conversations().items
    assert (talk.peer, talk.chat, talk.left, line(talk.last)) == ("team", GROUP, True, going)
    bob.write(pb.Command(version=1, disconnect=pb.Disconnect()))
    assert bob.farewell() is None
    again = live(world, "bob", "phone")
    assert ("alice", "after") not in heard(again)


def test_who_comes_back_sees_both_times_and_not_what_was_between(alice: Client, bob: Client) -> None:
    create(alice, "bob", join=OPEN)
    leave(bob)
    post(alice, "between")
    assert leave(bob) == pb.OK  # a retry
    join(bob)
    post(alice, "back")
    wanted = [
        ("group.created", "alice", "bob"),
        ("group.left", "bob", "bob"),
        ("group.joined", "bob", "bob"),
        ("alice", "back"),
    ]
    assert log(bob) == heard(bob) == wanted
    assert log(alice)[2] == ("alice", "between")


def test_outsiders_read_nothing(team: None, world: World, alice: Client) -> None:
    dave = live(world, "dave")
    for operation in (
        {"info": pb.GroupRef(id="team")},
        {"members": pb.GroupMembersQuery(id="team")},
        {"requests": pb.GroupRequestsQuery(id="team")},
        {"leave": pb.GroupRef(id="team")},
        {"invite": pb.GroupUsers(id="team", users=["dave"])},
        {"kick": pb.GroupUsers(id="team", users=["bob"])},
        {"dissolve": pb.GroupRef(id="team")},
        {"update": pb.GroupUpdate(id="team", name="Mine")},
        {"role": pb.GroupRole(id="team", user="dave", role=OWNER)},
        {"mute": pb.GroupMute(id="team", seconds=60)},
        {"answer": pb.GroupAnswer(id="team", user="dave", accept=True)},
    ):
        assert ask(dave, **operation).code == pb.PERMISSION_DENIED, operation
    pull = pb.Sync(pull=pb.Pull(chat=GROUP, peer="team"))
    assert dave.ask(pb.SYNC, pull.SerializeToString()).code == pb.PERMISSION_DENIED
    assert post(dave, "hello") == pb.PERMISSION_DENIED
    assert dave.send(text("psst"), transient=True).code == pb.PERMISSION_DENIED
    assert (info(alice).version, len(log(alice))) == (1, 1)
    assert not heard(dave)


def test_outsiders_see_what_may_be_joined_without_what_is_announced(world: World, alice: Client, bob: Client) -> None:
    create(alice, join=APPROVAL)
    update(alice, announcement="for us only")
    assert info(alice).announcement == "for us only"
    seen = info(bob)
    assert (seen.name, seen.owner, seen.size, seen.announcement, seen.member) == ("Team", "alice", 1, "", False)


def test_a_transient_message_reaches_the_members_who_are_here(team: None, world: World, alice: Client, bob: Client) -> None:
    dave = live(world, "dave")
    assert alice.send(text("now"), transient=True).code == pb.OK
    assert heard(bob) == [("alice", "now")]
    assert not heard(dave)
    assert len(log(bob)) == 1


def test_notices_are_not_unread(team: None, alice: Client, bob: Client) -> None:
    post(alice, "hello")
    update(alice, name="Crew")
    (talk,) = bob.conversations().items
    assert (talk.peer, talk.name, talk.unread, talk.last_seq, talk.left) == ("team", "Crew", 1, 3, False)


# ---------------------------------------------------------------- going


def test_an_owner_hands_the_group_over_before_leaving(team: None, alice: Client, bob: Client) -> None:
    assert leave(alice) == pb.FAILED_PRECONDITION
    reply = ask(alice, update=pb.GroupUpdate(id="team", owner="bob"))
    assert roles(bob) == {"alice": ADMIN, "bob": OWNER, "carol": MEMBER}
    assert pb.GroupInfo.FromString(reply.payload) == info(alice)
    assert (info(alice).owner, info(alice).role) == ("bob", ADMIN)
    assert leave(alice) == pb.OK
    assert [said[0] for said in log(bob)] == ["group.created", "group.owner", "group.left"]


def test_the_last_admin_may_leave_because_the_owner_stays(team: None, alice: Client, bob: Client) -> None:
    set_role(alice, "bob", ADMIN)
    assert leave(bob) == pb.OK
    assert kick(alice, "carol") == pb.OK
    assert roles(alice) == {"alice": OWNER}
    assert leave(alice) == pb.FAILED_PRECONDITION


def test_only_those_below_can_be_kicked(team: None, world: World, alice: Client, bob: Client, carol: Client) -> None:
    invite(alice, "dave")
    assert kick(carol, "bob") == pb.PERMISSION_DENIED
    set_role(alice, "bob", ADMIN)
    set_role(alice, "carol", ADMIN)
    assert kick(bob, "alice") == pb.PERMISSION_DENIED
    assert kick(bob, "dave", "carol") == pb.PERMISSION_DENIED  # all or nothing
    assert kick(bob, "bob") == pb.INVALID_ARGUMENT
    assert kick(bob, "nobody") == pb.NOT_FOUND
    assert sorted(roles(alice)) == ["alice", "bob", "carol", "dave"]
    assert kick(bob, "dave") == kick(bob, "dave") == pb.OK
    assert log(alice)[-1] == ("group.kicked", "bob", "dave")


def test_what_a_removed_user_had_can_still_be_ended(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    create(alice, "bob", "carol", join=APPROVAL)
    join(live(virtual, "dave"))
    set_role(alice, "carol", ADMIN)
    for name in ("carol", "dave"):
        change_user(virtual, name, state=UserState.REMOVED)
    virtual.clock.advance(1_000)
    assert set_role(alice, "carol", OWNER) == pb.NOT_FOUND
    assert set_role(alice, "carol", MEMBER) == mute(alice, "carol", 60) == kick(alice, "carol") == pb.OK
    assert invite(alice, "carol") == answer(alice, "dave", True) == pb.NOT_FOUND
    assert answer(alice, "dave", False) == pb.OK
    assert not requests(alice).items
    assert sorted(roles(alice)) == ["alice", "bob"]


def test_two_admins_who_kick_each_other_both_stay(team: None, alice: Client, bob: Client, carol: Client) -> None:
    set_role(alice, "bob", ADMIN)
    set_role(alice, "carol", ADMIN)
    bob.write(request(1, kick=pb.GroupUsers(id="team", users=["carol"])))
    carol.write(request(1, kick=pb.GroupUsers(id="team", users=["bob"])))
    assert bob.answer(1).code == carol.answer(1).code == pb.PERMISSION_DENIED
    assert sorted(roles(alice)) == ["alice", "bob", "carol"]


def test_a_hand_over_and_a_kick_at_once_have_an_order(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    create(alice, "bob")
    set_role(alice, "bob", ADMIN)
    alice.write(
        request(1, update=pb.GroupUpdate(id="team", owner="bob")), request(2, kick=pb.GroupUsers(id="team", users=["bob"]))
    )
    bob.write(request(1, kick=pb.GroupUsers(id="team", users=["alice"])))
    assert alice.answer(1).code == bob.answer(1).code == pb.OK
    assert alice.answer(2).code == pb.PERMISSION_DENIED
    assert roles(bob) == {"bob": OWNER}


@on_one_node
def test_a_kick_has_its_place_among_the_messages(virtual: VirtualWorld) -> None:
    """What comes between is stored in one batch."""
    alice, bob, carol = (live(virtual, name) for name in ("alice", "bob", "carol"))
    create(alice, "bob", "carol")
    for client in (alice, bob, carol):
        client.messages()
    virtual.store.holds = True
    bob.write(sending(1, text("bob 1")))
    alice.write(request(1, kick=pb.GroupUsers(id="team", users=["bob"])), sending(2, text("alice 1")))
    virtual.clock.turn()
    bob.write(sending(2, text("bob 2")))
    commits = virtual.store.commits
    virtual.store.release()
    bob.write(sending(3, text("bob 3")))
    virtual.clock.turn()
    assert virtual.store.commits == commits + 2
    assert [alice.answer(seqid).code for seqid in (1, 2)] == [pb.OK, pb.OK]
    assert [bob.answer(seqid).code for seqid in (1, 2, 3)] == [pb.OK, pb.OK, pb.PERMISSION_DENIED]
    whole = [("bob", "bob 1"), ("bob", "bob 2"), ("group.kicked", "alice", "bob"), ("alice", "alice 1")]
    messages = carol.messages()
    assert lines(messages) == whole
    assert [message.seq for message in messages] == [2, 3, 4, 5]
    assert heard(bob) == whole[2:3]
    assert log(bob)[1:] == whole[:3]


def test_what_was_sent_before_a_kick_may_be_retried_after_it(team: None, alice: Client, bob: Client) -> None:
    sent = bob.send(text("hello"), 7)
    kick(alice, "bob")
    assert bob.send(text("hello"), 7) == sent
    assert bob.send(text("hello"), 8).code == pb.PERMISSION_DENIED


# ---------------------------------------------------------------- the end


def test_a_dissolved_group_can_be_read_and_nothing_else(team: None, alice: Client, bob: Client, carol: Client) -> None:
    post(bob, "hello")
    assert dissolve(bob) == pb.PERMISSION_DENIED
    assert dissolve(alice) == pb.OK
    assert dissolve(alice) == pb.OK
    assert dissolve(bob) == pb.NOT_FOUND
    whole = [("group.created", "alice", "bob", "carol"), ("bob", "hello"), ("group.dissolved", "alice")]
    for client in (alice, bob, carol):
        assert log(client) == whole
        assert heard(client)[-1] == whole[-1]
        (talk,) = client.conversations().items
        assert talk.left
        assert not pb.GroupList.FromString(ask(client, list=pb.ListGroups()).payload).items
    for operation in (
        {"info": pb.GroupRef(id="team")},
        {"join": pb.GroupRef(id="team")},
        {"leave": pb.GroupRef(id="team")},
        {"members": pb.GroupMembersQuery(id="team")},
        {"requests": pb.GroupRequestsQuery(id="team")},
        {"invite": pb.GroupUsers(id="team", users=["dave"])},
        {"kick": pb.GroupUsers(id="team", users=["bob"])},
        {"update": pb.GroupUpdate(id="team", name="Ghosts")},
        {"role": pb.GroupRole(id="team", user="bob", role=ADMIN)},
        {"mute": pb.GroupMute(id="team", seconds=60)},
        {"answer": pb.GroupAnswer(id="team", user="dave", accept=True)},
    ):
        assert ask(alice, **operation).code == pb.NOT_FOUND, operation
    assert post(bob, "anybody?") == pb.NOT_FOUND
    assert ask(alice, create=pb.GroupCreate(id="team")).code == pb.ALREADY_EXISTS


# ---------------------------------------------------------------- settings


def test_each_thing_that_changes_has_its_notice(team: None, alice: Client, bob: Client) -> None:
    set_role(alice, "bob", ADMIN)
    reply = ask(
        bob,
        update=pb.GroupUpdate(
            id="team", name="Crew", announcement="tea at\nfive", avatar_url="https://x.test/a", policy=pb.GroupPolicy(join=OPEN)
        ),
    )
    changed = pb.GroupInfo.FromString(reply.payload)
    assert (changed.name, changed.announcement, changed.avatar_url) == ("Crew", "tea at\nfive", "https://x.test/a")
    assert (changed.policy.join, changed.owner, changed.size, changed.version, changed.role) == (OPEN, "alice", 3, 3, ADMIN)
    assert info(bob) == changed
    assert log(alice)[2:] == [
        ("group.renamed", "bob", "Crew"),
        ("group.announced", "bob", "tea at\nfive"),
        ("group.avatar", "bob", "https://x.test/a"),
        ("group.policy", "bob"),
    ]


def test_what_stays_as_it_was_has_no_notice(team: None, alice: Client) -> None:
    update(alice, name="Crew", announcement="tea")
    assert update(alice, name="Crew", announcement="tea") == pb.OK
    assert update(alice, name="Crew", announcement="") == pb.OK
    assert update(alice) == pb.OK
    assert log(alice)[1:] == [
        ("group.renamed", "alice", "Crew"),
        ("group.announced", "alice", "tea"),
        ("group.announced", "alice"),
    ]
    assert info(alice).version == 3


def test_members_change_nothing(team: None, alice: Client, bob: Client) -> None:
    assert update(bob, name="Mine") == pb.PERMISSION_DENIED
    assert update(bob, owner="bob") == pb.PERMISSION_DENIED
    assert set_role(bob, "bob", ADMIN) == pb.PERMISSION_DENIED
    assert mute(bob, "carol", 60) == pb.PERMISSION_DENIED
    assert ask(bob, requests=pb.GroupRequestsQuery(id="team")).code == pb.PERMISSION_DENIED
    assert (info(alice).version, len(log(alice))) == (1, 1)


def test_a_group_is_handed_over_by_its_owner_to_a_member(team: None, alice: Client, bob: Client) -> None:
    set_role(alice, "bob", ADMIN)
    assert update(bob, owner="bob") == pb.PERMISSION_DENIED
    assert set_role(bob, "bob", OWNER) == pb.PERMISSION_DENIED
    assert update(alice, owner="dave") == pb.NOT_FOUND
    assert set_role(alice, "carol", OWNER) == set_role(alice, "carol", OWNER) == pb.OK
    assert update(alice, owner="carol") == pb.OK
    assert roles(bob) == {"alice": ADMIN, "bob": ADMIN, "carol": OWNER}
    assert log(bob)[2:] == [("group.owner", "alice", "carol")]
    assert set_role(alice, "bob", MEMBER) == pb.PERMISSION_DENIED  # not hers any more


def test_a_role_changes_with_a_notice_each_time(team: None, alice: Client, bob: Client) -> None:
    assert set_role(alice, "bob", ADMIN) == set_role(alice, "bob", ADMIN) == pb.OK
    assert set_role(bob, "carol", ADMIN) == pb.PERMISSION_DENIED
    assert set_role(alice, "bob", MEMBER) == pb.OK
    assert set_role(alice, "dave", ADMIN) == pb.NOT_FOUND
    assert log(alice)[1:] == [("group.role", "alice", "bob", "admin"), ("group.role", "alice", "bob", "member")]


# ---------------------------------------------------------------- who may speak


def test_where_only_admins_post_others_read(team: None, alice: Client, bob: Client) -> None:
    update(alice, policy=pb.GroupPolicy(only_admins_post=True))
    assert post(bob, "me too") == pb.PERMISSION_DENIED
    set_role(alice, "bob", ADMIN)
    assert post(bob, "me too") == post(alice, "fine") == pb.OK


def test_everyone_is_called_by_admins_only(team: None, alice: Client, bob: Client) -> None:
    assert post(bob, "look", mentions=["@all"]) == pb.PERMISSION_DENIED
    assert post(bob, "look", mentions=["alice"]) == pb.OK
    assert post(alice, "look", mentions=["@all"]) == pb.OK


def test_who_is_muted_may_speak_again_after_the_time(virtual: VirtualWorld) -> None:
    alice, bob, carol = (live(virtual, name) for name in ("alice", "bob", "carol"))
    create(alice, "bob", "carol")
    assert mute(alice, "bob", 60) == pb.OK
    assert post(bob, "hm") == pb.PERMISSION_DENIED
    assert post(carol, "I may") == pb.OK
    (_, muted, _) = members(bob).items
    assert muted.muted_until == virtual.clock.now_ms() + 60_000
    virtual.clock.advance(59_999)
    assert post(bob, "hm") == pb.PERMISSION_DENIED
    virtual.clock.advance(1)
    assert post(bob, "at last") == pb.OK
    assert mute(alice, "bob", 0) == pb.OK  # it has ended
    assert log(alice)[1:] == [("group.muted", "alice", "bob", "60"), ("carol", "I may"), ("bob", "at last")]


def test_a_mute_can_be_ended(team: None, alice: Client, bob: Client) -> None:
    mute(alice, "bob", 3600)
    assert mute(alice, "bob", 0) == mute(alice, "bob", 0) == pb.OK
    assert post(bob, "thanks") == pb.OK
    assert log(alice)[1:3] == [("group.muted", "alice", "bob", "3600"), ("group.unmuted", "alice", "bob")]


def test_all_but_the_admins_can_be_muted(team: None, alice: Client, bob: Client, carol: Client) -> None:
    set_role(alice, "bob", ADMIN)
    assert mute(bob, "", 3600) == pb.OK
    assert post(carol, "hm") == pb.PERMISSION_DENIED
    assert post(bob, "quiet") == post(alice, "please") == pb.OK
    assert info(carol).muted_until > info(carol).created_at
    mute(alice, "", 0)
    assert post(carol, "thanks") == pb.OK


def test_only_those_below_are_muted_admins_too(team: None, alice: Client, bob: Client, carol: Client) -> None:
    set_role(alice, "bob", ADMIN)
    set_role(alice, "carol", ADMIN)
    assert mute(bob, "alice", 60) == mute(bob, "carol", 60) == mute(bob, "bob", 60) == pb.PERMISSION_DENIED
    assert mute(alice, "dave", 60) == pb.NOT_FOUND
    assert mute(alice, "bob", 3600) == pb.OK
    assert post(bob, "hm") == pb.PERMISSION_DENIED
    assert update(alice, owner="bob") == pb.OK  # nobody stands above him now
    assert post(bob, "mine") == pb.OK


# ---------------------------------------------------------------- lists


def test_members_come_in_pages(virtual: VirtualWorld) -> None:
    add_users(virtual, names := [f"user{number:03}" for number in range(250)])
    alice = live(virtual, "alice")
    create(alice, *names)
    first = members(alice)
    second = members(alice, after=first.next, limit=1_000)
    assert (len(first.items), len(second.items), bool(second.next)) == (50, 200, True)
    last = members(alice, after=second.next)
    assert not last.next
    found = [member.user for page in (first, second, last) for member in page.items]
    assert sorted(found) == sorted(["alice", *names])


def test_groups_and_requests_come_in_pages(world: World, alice: Client) -> None:
    ids = [f"group{number}" for number in range(5)]
    for group_id in ids:
        create(alice, id=group_id)
    create(alice, join=APPROVAL)
    for name in ("bob", "carol", "dave"):
        join(live(world, name))
    pages = list[pb.GroupList]()
    while not pages or pages[-1].next:
        reply = ask(alice, list=pb.ListGroups(after=pages[-1].next if pages else "", limit=2))
        pages.append(pb.GroupList.FromString(reply.payload))
    assert [len(page.items) for page in pages] == [2, 2, 2]
    assert [item.id for page in pages for item in page.items] == [*ids, "team"]
    assert {(item.owner, item.role, item.member) for page in pages for item in page.items} == {("alice", OWNER, True)}
    first = requests(alice, limit=2)
    assert [item.user for item in (*first.items, *requests(alice, after=first.next).items)] == ["bob", "carol", "dave"]


def test_a_page_of_groups_fits_into_a_frame(make_virtual: Callable[..., VirtualWorld]) -> None:
    world = make_virtual(max_frame_bytes=16 * 1024)
    alice = live(world, "alice")
    for number in range(10):
        create(alice, id=f"group{number}")
        update(alice, f"group{number}", announcement="x" * 4096)
    found, after = list[str](), ""
    while True:
        reply = ask(alice, list=pb.ListGroups(after=after))
        assert len(reply.payload) < 16 * 1024
        page = pb.GroupList.FromString(reply.payload)
        found += [item.id for item in page.items]
        after = page.next
        if not after:
            break
    assert found == [f"group{number}" for number in range(10)]


# ---------------------------------------------------------------- tenants, crashes


def test_groups_of_the_same_name_in_two_tenants_never_meet(make_world: Callable[..., World]) -> None:
    world = make_world()
    org, appkey = OTHER_TENANT
    here, bob = live(world, "alice", "phone"), live(world, "bob", "phone")
    there, erin = (live(world, name, "phone", org=org, appkey=appkey) for name in ("alice", "erin"))
    create(here, "bob", name="Here")
    assert ask(there, info=pb.GroupRef(id="team")).code == pb.NOT_FOUND
    unknown, foreign = ask(there, join=pb.GroupRef(id="void")), ask(there, join=pb.GroupRef(id="team"))
    assert (foreign.code, foreign.reason.replace("team", "void")) == (unknown.code, unknown.reason)
    create(there, "erin", name="There")
    for number in range(5):
        assert post(here, f"here {number}") == post(there, f"there {number}") == pb.OK
    assert invite(there, "bob") == pb.NOT_FOUND
    assert kick(here, "erin") == pb.NOT_FOUND
    assert update(here, owner="erin") == pb.NOT_FOUND
    assert (info(here).name, info(there).name) == ("Here", "There")
    assert heard(bob) == [("group.created", "alice", "bob"), *(("alice", f"here {number}") for number in range(5))]
    assert heard(erin) == [("group.created", "alice", "erin"), *(("alice", f"there {number}") for number in range(5))]
    assert dissolve(here) == pb.OK
    assert post(there, "we live") == pb.OK
    assert [item.name for item in erin.conversations().items] == ["There"]


def test_a_group_survives_a_crash(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    create(alice, "bob", "carol", join=APPROVAL)
    set_role(alice, "bob", ADMIN)
    mute(alice, "carol", 3600)
    join(live(virtual, "dave"))
    before = info(alice), members(alice), requests(alice), log(alice)
    virtual.crash()
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert (info(alice), members(alice), requests(alice), log(alice)) == before
    assert heard(bob) == log(alice)
    assert answer(bob, "dave", True) == pb.OK


def test_what_could_not_be_stored_was_not_done(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    create(alice, "bob")
    bob.messages()
    virtual.store.fails_with = StoreUnavailable("disk full")
    assert kick(alice, "bob") == pb.UNAVAILABLE
    virtual.store.fails_with = None
    assert not heard(bob)
    assert kick(alice, "bob") == pb.OK
    assert heard(bob) == [("group.kicked", "alice", "bob")]
