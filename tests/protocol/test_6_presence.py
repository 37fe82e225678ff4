"""Protocol §6: who is here, and who is typing."""

from typing import Any

import pytest

from rockdove.wire import im_pb2 as pb
from tests.protocol.client import Client
from tests.protocol.virtual import VirtualWorld, socket_of
from tests.protocol.world import OTHER_TENANT, World, change_tenant, live

OFFLINE, ONLINE, AWAY, TYPING = pb.Presence.OFFLINE, pb.Presence.ONLINE, pb.Presence.AWAY, pb.Presence.TYPING


def ask(client: Client, **operation: Any) -> pb.Response:
    """Any request about presence; its answer."""
    return client.ask(pb.PRESENCE, pb.Presence(**operation).SerializeToString())


def publish(client: Client, state: int, **fields: Any) -> int:
    return ask(client, publish=pb.Presence.Publish(state=state, **fields)).code


def query(client: Client, *names: str) -> dict[str, pb.PresenceState]:
    reply = ask(client, query=pb.Presence.Query(users=names))
    assert reply.code == pb.OK, reply
    return {item.user: item for item in pb.PresenceList.FromString(reply.payload).items}


def frames(client: Client) -> list[list[pb.PresenceState]]:
    """The news of presence that came by now, by frame."""
    pushes = client.pushes(pb.PRESENCE)
    assert all(push.seqid == 0 for push in pushes)  # they want no ack
    return [list(pb.Presence.FromString(push.payload).event.items) for push in pushes]


def news(client: Client) -> list[tuple[str, int]]:
    return [(item.user, item.state) for frame in frames(client) for item in frame]


def contact(client: Client, **operation: Any) -> None:
    assert client.ask(pb.CONTACT, pb.Contact(**operation).SerializeToString()).code == pb.OK


def befriend(world: World, *names: str) -> None:
    """All of them are friends; nobody is here for it any more."""
    clients = {name: live(world, name, "maker-of-friends") for name in names}
    for one in names:
        for other in names:
            if one != other:
                contact(clients[one], add=pb.ContactAdd(user=other))
    for client in clients.values():
        client.pipe.hang_up()


@pytest.fixture
def friends(virtual: VirtualWorld) -> VirtualWorld:
    """A world where alice, bob and carol are friends, and nobody is here."""
    befriend(virtual, "alice", "bob", "carol")
    virtual.clock.advance(5_000)
    return virtual


def come(world: VirtualWorld, *names: str) -> list[Client]:
    """Who comes, and has heard of each other."""
    clients = [live(world, name, "phone") for name in names]
    world.clock.advance(2_000)
    for client in clients:
        frames(client)
    return clients


def test_friends_hear_of_each_other_over_the_wire(world: World) -> None:
    befriend(world, "alice", "bob")
    bob = live(world, "bob")

    def tells_of_alice(state: int) -> Any:
        def wanted(push: pb.Request) -> bool:
            items = pb.Presence.FromString(push.payload).event.items if push.type == pb.PRESENCE else []
            return any(item.user == "alice" and item.state == state for item in items)

        return wanted

    alice = live(world, "alice")
    if isinstance(world, VirtualWorld):
        world.clock.advance(2_000)
    bob.take("request", tells_of_alice(ONLINE))
    alice.pipe.hang_up()
    if isinstance(world, VirtualWorld):
        world.clock.advance(2_000)
    bob.take("request", tells_of_alice(OFFLINE))


def test_a_friend_who_comes_and_goes_is_told_of_with_the_time(friends: VirtualWorld) -> None:
    (bob,) = come(friends, "bob")
    alice = live(friends, "alice")
    friends.clock.advance(2_000)
    assert news(bob) == [("alice", ONLINE)]
    friends.clock.advance(20_000)
    bob.ping()
    alice.pipe.hang_up()
    gone_ms = friends.clock.now_ms()
    friends.clock.advance(2_000)
    ((item,),) = frames(bob)
    assert (item.user, item.state) == ("alice", OFFLINE)
    assert gone_ms <= item.last_seen <= gone_ms + 2_000
    friends.clock.advance(20_000)
    assert query(bob, "alice")["alice"].last_seen == gone_ms


def test_the_highest_state_of_ones_devices_is_shown(friends: VirtualWorld) -> None:
    (bob,) = come(friends, "bob")
    phone, laptop = live(friends, "alice", "phone"), live(friends, "alice", "laptop")
    publish(phone, AWAY, text="lunch")
    assert query(bob, "alice")["alice"].state == ONLINE
    publish(laptop, OFFLINE, text="lunch")
    assert query(bob, "alice")["alice"] == pb.PresenceState(
        user="alice", state=AWAY, text="lunch", last_seen=friends.clock.now_ms()
    )
    friends.clock.advance(2_000)
    assert news(bob) == [("alice", AWAY)]
    phone.pipe.hang_up()
    friends.clock.advance(2_000)
    assert news(bob) == [("alice", OFFLINE)]  # the laptop is there, and not to be seen
    assert query(bob, "alice")["alice"].text == ""
    assert query(laptop, "alice")["alice"].state == OFFLINE


def test_who_is_replaced_or_comes_back_at_once_is_not_told_of(friends: VirtualWorld) -> None:
    alice, bob = come(friends, "alice", "bob")
    again = live(friends, "alice", "phone")
    assert alice.farewell()
    again.pipe.hang_up()
    live(friends, "alice", "phone")
    friends.clock.advance(3_000)
    # Another node tells of its own: the same again.
    assert all(len(friends.nodes) > 1 and one.state == ONLINE for frame in frames(bob) for one in frame)


def test_the_news_of_a_second_come_in_one_frame(friends: VirtualWorld) -> None:
    (bob,) = come(friends, "bob")
    live(friends, "alice"), live(friends, "carol")
    friends.clock.advance(2_000)
    (frame,) = frames(bob)
    assert sorted(item.user for item in frame) == ["alice", "carol"]


def test_who_publishes_without_end_is_told_of_once_a_second(friends: VirtualWorld) -> None:
    alice, bob = come(friends, "alice", "bob")
    for n in range(300):
        publish(alice, AWAY, text=f"{n}")
        friends.clock.advance(10)
    friends.clock.advance(2_000)
    told = frames(bob)
    assert 1 <= len(told) <= 4
    assert told[-1][0].text == "299"


def test_strangers_and_unknown_users_look_alike(friends: VirtualWorld) -> None:
    org, appkey = OTHER_TENANT
    live(friends, "erin", org=org, appkey=appkey)
    (bob, dave) = come(friends, "bob", "dave")
    states = query(bob, "dave", "erin", "nobody")
    assert [(item.state, item.last_seen, item.text) for item in states.values()] == [(OFFLINE, 0, "")] * 3
    assert query(dave, "bob")["bob"] == pb.PresenceState(user="bob")
    assert query(bob, "bob")["bob"].state == ONLINE
    friends.clock.advance(2_000)
    assert news(dave) == []


@pytest.mark.parametrize("blocker", ["alice", "bob"])
def test_a_block_hides_each_from_the_other(friends: VirtualWorld, blocker: str) -> None:
    clients = dict(zip(["alice", "bob"], come(friends, "alice", "bob"), strict=True))
    blocked = "bob" if blocker == "alice" else "alice"
    contact(clients[blocker], block=pb.ContactRef(user=blocked))
    for name, other in [("alice", "bob"), ("bob", "alice")]:
        assert news(clients[name]) == [(other, OFFLINE)]
        assert query(clients[name], other)[other] == pb.PresenceState(user=other)
    publish(clients[blocker], AWAY)
    publish(clients[blocked], AWAY)
    friends.clock.advance(2_000)
    assert news(clients["alice"]) == news(clients["bob"]) == []
    contact(clients[blocker], unblock=pb.ContactRef(user=blocked))
    friends.clock.advance(2_000)
    assert news(clients["alice"]) == [("bob", AWAY)]
    assert news(clients["bob"]) == [("alice", AWAY)]


def test_who_makes_friends_or_parts_sees_it(virtual: VirtualWorld) -> None:
    alice, bob = come(virtual, "alice", "bob")
    contact(alice, add=pb.ContactAdd(user="bob"))
    virtual.clock.advance(2_000)
    assert news(alice) == news(bob) == []
    contact(bob, answer=pb.ContactAnswer(user="alice", accept=True))
    virtual.clock.advance(2_000)
    assert (news(alice), news(bob)) == ([("bob", ONLINE)], [("alice", ONLINE)])
    contact(bob, remove=pb.ContactRef(user="alice"))
    assert (news(alice), news(bob)) == ([("bob", OFFLINE)], [("alice", OFFLINE)])


def test_after_a_crash_nobody_is_here_who_does_not_come_back(friends: VirtualWorld) -> None:
    alice, _ = come(friends, "alice", "carol")
    publish(alice, AWAY, text="lunch")
    friends.clock.advance(2_000)
    friends.crash()
    bob = live(friends, "bob")
    states = query(bob, "alice", "carol")
    assert [(item.state, item.text) for item in states.values()] == [(OFFLINE, "")] * 2
    friends.clock.advance(3_000)
    assert news(bob) == []
    live(friends, "alice")
    friends.clock.advance(2_000)
    assert news(bob) == [("alice", ONLINE)]


def test_a_client_that_does_not_read_is_not_sent_presence_without_end(friends: VirtualWorld) -> None:
    alice, bob = come(friends, "alice", "bob")
    socket_of(bob).stop_reading()
    for n in range(20):
        for m in range(200):
            publish(alice, AWAY, text=f"{n} {m}".ljust(120, "x"))
        friends.clock.advance(1_000)
    assert socket_of(bob).unread_bytes < 20 * 1_000


def test_a_query_names_at_most_200_users(friends: VirtualWorld) -> None:
    (bob,) = come(friends, "bob")
    assert len(query(bob, *[f"user{n}" for n in range(200)])) == 200
    assert ask(bob, query=pb.Presence.Query(users=[f"user{n}" for n in range(201)])).code == pb.INVALID_ARGUMENT
    assert query(bob, "alice", "alice").keys() == {"alice"}
    assert query(bob) == {}


@pytest.mark.parametrize(
    "operation",
    [
        {"publish": pb.Presence.Publish(state=ONLINE, text="x" * 129)},
        {"publish": pb.Presence.Publish(state=ONLINE, text="a\nb")},
        {"publish": pb.Presence.Publish(state=9)},
        {"publish": pb.Presence.Publish(state=TYPING)},
        {"publish": pb.Presence.Publish(state=TYPING, peer="no name")},
        {"publish": pb.Presence.Publish(state=TYPING, peer="bob", chat=9)},
        {"query": pb.Presence.Query(users=["no name"])},
        {"event": pb.PresenceList()},
        {},
    ],
)
def test_what_makes_no_sense_is_an_invalid_argument(alice: Client, operation: dict[str, Any]) -> None:
    assert ask(alice, **operation).code == pb.INVALID_ARGUMENT


# ---------------------------------------------------------------- typing


def typing_to(client: Client, peer: str, **fields: Any) -> int:
    return publish(client, TYPING, peer=peer, **fields)


def test_typing_is_shown_to_every_device_of_the_other_and_nobody_else(virtual: VirtualWorld) -> None:
    alice, bob, carol = come(virtual, "alice", "bob", "carol")
    tablet, laptop = live(virtual, "bob", "tablet"), live(virtual, "alice", "laptop")
    assert typing_to(alice, "bob") == pb.OK
    virtual.clock.advance(500)
    for device in (bob, tablet):
        assert frames(device) == [[pb.PresenceState(user="alice", state=TYPING, chat=pb.SINGLE, peer="alice")]]
    assert frames(alice) == frames(laptop) == frames(carol) == []
    assert typing_to(alice, "alice") == pb.OK
    virtual.clock.advance(500)
    assert frames(alice) == frames(laptop) == []


def test_typing_is_shown_once_in_3_seconds(virtual: VirtualWorld) -> None:
    alice, bob = come(virtual, "alice", "bob")
    for _ in range(60):
        assert typing_to(alice, "bob") == pb.OK
        virtual.clock.advance(100)
    assert len(news(bob)) == 2


def test_typing_to_somebody_who_blocks_goes_nowhere_and_does_not_say_so(virtual: VirtualWorld) -> None:
    alice, bob = come(virtual, "alice", "bob")
    contact(bob, block=pb.ContactRef(user="alice"))
    assert typing_to(alice, "bob") == pb.OK
    virtual.clock.advance(500)
    assert news(bob) == []


def test_typing_needs_what_writing_needs(virtual: VirtualWorld) -> None:
    change_tenant(virtual, strangers=False)
    alice, bob = come(virtual, "alice", "bob")
    assert typing_to(alice, "bob") == pb.OK
    assert typing_to(alice, "nobody") == pb.NOT_FOUND
    virtual.clock.advance(500)
    assert news(bob) == []


def make_group(owner: Client, name: str, *members: str) -> None:
    request = pb.Group(create=pb.GroupCreate(id=name, name=name, members=members))
    assert owner.ask(pb.GROUP, request.SerializeToString()).code == pb.OK


def test_typing_in_a_group_is_shown_to_its_other_members(virtual: VirtualWorld) -> None:
    alice, bob, carol, dave = come(virtual, "alice", "bob", "carol", "dave")
    laptop = live(virtual, "alice", "laptop")
    make_group(alice, "team", "bob", "carol")
    assert typing_to(alice, "team", chat=pb.GROUP_CHAT) == pb.OK
    virtual.clock.advance(500)
    for member in (bob, carol):
        assert frames(member) == [[pb.PresenceState(user="alice", state=TYPING, chat=pb.GROUP_CHAT, peer="team")]]
    assert frames(alice) == frames(laptop) == frames(dave) == []


def test_only_members_type_in_a_group(virtual: VirtualWorld) -> None:
    alice, bob, dave = come(virtual, "alice", "bob", "dave")
    make_group(alice, "team", "bob")
    assert typing_to(dave, "team", chat=pb.GROUP_CHAT) == pb.PERMISSION_DENIED
    assert typing_to(dave, "nowhere", chat=pb.GROUP_CHAT) == pb.NOT_FOUND
    virtual.clock.advance(500)
    assert news(alice) == news(bob) == []
