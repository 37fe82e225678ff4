"""Protocol §7: contacts, requests, blocks."""

from collections.abc import Callable
from typing import Any

import pytest

from rockdove.core.records import UserState
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import Client
from tests.protocol.storage import on_one_node
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import OTHER_TENANT, World, add_users, change_tenant, change_user, live
from tests.raw import sending, text_message

NONE, REQUESTED, INVITED = pb.ContactItem.NONE, pb.ContactItem.REQUESTED, pb.ContactItem.INVITED
FRIEND, BLOCKED = pb.ContactItem.FRIEND, pb.ContactItem.BLOCKED


def contact(**operation: Any) -> bytes:
    """The payload of a request."""
    return pb.Contact(**operation).SerializeToString()


def ask(client: Client, **operation: Any) -> pb.Response:
    """Any request about contacts; its answer."""
    return client.ask(pb.CONTACT, contact(**operation))


def add(client: Client, user: str, **fields: str) -> int:
    return ask(client, add=pb.ContactAdd(user=user, **fields)).code


def answer(client: Client, user: str, accept: bool, reason: str = "") -> int:
    return ask(client, answer=pb.ContactAnswer(user=user, accept=accept, reason=reason)).code


def remove(client: Client, user: str) -> int:
    return ask(client, remove=pb.ContactRef(user=user)).code


def block(client: Client, user: str) -> int:
    return ask(client, block=pb.ContactRef(user=user)).code


def unblock(client: Client, user: str) -> int:
    return ask(client, unblock=pb.ContactRef(user=user)).code


def roster(client: Client, **fields: Any) -> pb.ContactList:
    """One page of the list."""
    reply = ask(client, list=pb.ListContacts(**fields))
    assert reply.code == pb.OK, reply
    return pb.ContactList.FromString(reply.payload)


def states(client: Client, **fields: Any) -> dict[str, int]:
    """The list: user -> state."""
    return {item.user: item.state for item in roster(client, **fields).items}


def events(client: Client) -> list[tuple[str, int]]:
    """The news of contacts that came by now."""
    return [(item.user, item.state) for item in items(client)]


def items(client: Client) -> list[pb.ContactItem]:
    pushes = client.pushes(pb.CONTACT)
    assert all(push.seqid == 0 for push in pushes)  # they want no ack
    return [pb.Contact.FromString(push.payload).event for push in pushes]


def befriend(one: Client, one_name: str, other: Client, other_name: str) -> None:
    """Make them friends, and let them have heard of it."""
    assert add(one, other_name) == pb.OK
    assert answer(other, one_name, accept=True) == pb.OK
    events(one), events(other)


def say(client: Client, to: str) -> pb.Response:
    """Try to send a text."""
    return client.send(text_message(to, "x"))


# ---------------------------------------------------------------- requests


def test_a_request_reaches_every_device_of_both(world: World, alice: Client, bob: Client) -> None:
    laptop, tablet = live(world, "alice", "laptop"), live(world, "bob", "tablet")
    assert add(alice, "bob", greeting="it's me", remark="Bobby") == pb.OK
    for device in (alice, laptop):
        (item,) = items(device)
        assert (item.user, item.state, item.remark, item.greeting) == ("bob", REQUESTED, "Bobby", "")
        assert item.updated_at > 0
    for device in (bob, tablet):
        (item,) = items(device)
        assert (item.user, item.state, item.remark, item.greeting) == ("alice", INVITED, "", "it's me")


def test_who_accepts_is_a_friend_and_has_one(world: World, alice: Client, bob: Client) -> None:
    add(alice, "bob", remark="Bobby")
    events(alice), events(bob)
    assert answer(bob, "alice", accept=True) == pb.OK
    assert (events(alice), events(bob)) == ([("bob", FRIEND)], [("alice", FRIEND)])
    assert (states(alice), states(bob)) == ({"bob": FRIEND}, {"alice": FRIEND})
    assert roster(alice).items[0].remark == "Bobby"


def test_who_declines_ends_the_request_and_may_say_why(alice: Client, bob: Client) -> None:
    add(alice, "bob")
    events(alice), events(bob)
    assert answer(bob, "alice", accept=False, reason="who are you?") == pb.OK
    (item,) = items(alice)
    assert (item.user, item.state, item.greeting) == ("bob", NONE, "who are you?")
    assert events(bob) == [("alice", NONE)]
    assert states(alice) == states(bob) == {}


def test_requests_that_cross_make_friends(alice: Client, bob: Client) -> None:
    assert add(alice, "bob") == add(bob, "alice") == pb.OK
    assert states(alice) == {"bob": FRIEND}
    assert states(bob) == {"alice": FRIEND}


def test_a_request_can_be_withdrawn(alice: Client, bob: Client) -> None:
    add(alice, "bob")
    assert remove(alice, "bob") == pb.OK
    assert answer(bob, "alice", accept=True) == pb.NOT_FOUND
    assert states(alice) == states(bob) == {}


def test_nothing_asked_is_nothing_to_accept_and_needs_no_refusal(alice: Client, bob: Client) -> None:
    assert answer(alice, "bob", accept=True) == pb.NOT_FOUND
    assert answer(alice, "bob", accept=False) == pb.OK
    add(alice, "bob")
    assert answer(alice, "bob", accept=True) == pb.NOT_FOUND  # nobody accepts his own request


@pytest.mark.parametrize("retried", ["add", "accept", "decline", "remove", "block", "unblock"])
def test_a_retry_succeeds_and_is_no_news(alice: Client, bob: Client, retried: str) -> None:
    if retried in {"accept", "decline"}:
        add(bob, "alice")
    elif retried in {"remove", "unblock"}:
        befriend(alice, "alice", bob, "bob")
        block(alice, "bob")
    requests: dict[str, Callable[[], int]] = {
        "add": lambda: add(alice, "bob", greeting="hello"),
        "accept": lambda: answer(alice, "bob", accept=True),
        "decline": lambda: answer(alice, "bob", accept=False),
        "remove": lambda: remove(alice, "bob"),
        "block": lambda: block(alice, "bob"),
        "unblock": lambda: unblock(alice, "bob"),
    }
    events(alice), events(bob)
    assert requests[retried]() == pb.OK
    assert events(alice)
    events(bob)
    version = roster(alice).version
    assert requests[retried]() == pb.OK
    assert events(alice) == events(bob) == []
    assert roster(alice).version == version


def test_contacts_outlive_the_server(virtual: VirtualWorld) -> None:
    alice, bob, carol = (live(virtual, name) for name in ("alice", "bob", "carol"))
    befriend(alice, "alice", bob, "bob")
    add(alice, "carol", remark="C")
    block(carol, "bob")
    virtual.crash()
    alice, carol = live(virtual, "alice"), live(virtual, "carol")
    assert states(alice) == {"bob": FRIEND, "carol": REQUESTED}
    assert states(carol) == {"alice": INVITED, "bob": BLOCKED}


# ---------------------------------------------------------------- who may write


def test_in_a_tenant_without_strangers_friends_write_to_each_other(virtual: VirtualWorld) -> None:
    change_tenant(virtual, strangers=False)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert say(alice, "bob").code == pb.PERMISSION_DENIED
    add(alice, "bob")
    assert say(alice, "bob").code == say(bob, "alice").code == pb.PERMISSION_DENIED
    answer(bob, "alice", accept=True)
    assert say(alice, "bob").code == say(bob, "alice").code == pb.OK
    assert say(alice, "alice").code == pb.OK


@pytest.mark.parametrize("remover", ["alice", "bob"])
def test_in_a_tenant_without_strangers_former_friends_do_not(virtual: VirtualWorld, remover: str) -> None:
    change_tenant(virtual, strangers=False)
    clients = {name: live(virtual, name) for name in ("alice", "bob")}
    befriend(clients["alice"], "alice", clients["bob"], "bob")
    assert say(clients["alice"], "bob").code == say(clients["bob"], "alice").code == pb.OK
    other = "bob" if remover == "alice" else "alice"
    remove(clients[remover], other)
    assert say(clients["alice"], "bob").code == say(clients["bob"], "alice").code == pb.PERMISSION_DENIED
    assert len(clients["alice"].messages()) == len(clients["bob"].messages()) == 1


def test_a_block_holds_at_once_also_for_those_who_were_talking(alice: Client, bob: Client) -> None:
    assert say(bob, "alice").code == say(bob, "alice").code == pb.OK
    alice.messages()
    assert block(alice, "bob") == pb.OK
    assert say(bob, "alice").code == pb.PERMISSION_DENIED
    assert bob.send(text_message("alice", "x"), transient=True).code == pb.PERMISSION_DENIED
    assert alice.messages() == []
    assert say(alice, "bob").code == pb.OK  # who blocks may write
    unblock(alice, "bob")
    assert say(bob, "alice").code == pb.OK
    assert len(alice.messages()) == 1


@on_one_node
def test_a_block_holds_for_messages_that_come_in_the_same_moment_after_it(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert say(bob, "alice").code == pb.OK
    alice.ack(alice.messages()[0].msgid)
    virtual.clock.advance(1_000)
    request = pb.Request(type=pb.CONTACT, payload=contact(block=pb.ContactRef(user="bob")), seqid=1)
    alice.write(pb.Command(version=1, request=request))
    virtual.clock.turn()
    commits = virtual.store.commits
    bob.write(sending(2, text_message("alice", "x")))
    assert [alice.answer(1).code, bob.answer(2).code] == [pb.OK, pb.PERMISSION_DENIED]
    assert virtual.store.commits == commits + 1
    assert alice.messages() == []


def test_who_sends_while_the_block_is_being_stored_is_refused(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    assert say(bob, "alice").code == pb.OK
    virtual.clock.advance(1_000)  # nothing else waits to be stored
    alice.messages()
    virtual.store.holds = True
    request = pb.Request(type=pb.CONTACT, payload=contact(block=pb.ContactRef(user="bob")), seqid=1)
    alice.write(pb.Command(version=1, request=request))
    virtual.clock.settle()
    bob.write(sending(2, text_message("alice", "x")))
    virtual.clock.settle()
    virtual.store.release()
    assert [alice.answer(1).code, bob.answer(2).code] == [pb.OK, pb.PERMISSION_DENIED]
    assert alice.messages() == []


def test_a_block_reads_like_no_friends(virtual: VirtualWorld) -> None:
    change_tenant(virtual, strangers=False)
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    stranger = say(bob, "alice")
    befriend(alice, "alice", bob, "bob")
    assert say(bob, "alice").code == pb.OK
    block(alice, "bob")
    blocked = say(bob, "alice")
    assert (blocked.code, blocked.reason) == (stranger.code, stranger.reason)


def test_a_block_holds_among_friends_and_does_not_end_the_friendship(alice: Client, bob: Client) -> None:
    befriend(alice, "alice", bob, "bob")
    block(alice, "bob")
    assert states(alice) == {"bob": BLOCKED}
    assert states(bob) == {"alice": FRIEND}  # he is not told
    assert events(bob) == []
    assert say(bob, "alice").code == pb.PERMISSION_DENIED
    unblock(alice, "bob")
    assert states(alice) == {"bob": FRIEND}


def test_the_retry_of_a_message_from_before_the_block_is_answered(alice: Client, bob: Client) -> None:
    sent = bob.say("alice", "x", 7)
    block(alice, "bob")
    assert bob.say("alice", "x", 7) == sent
    assert say(bob, "alice").code == pb.PERMISSION_DENIED


def test_a_request_to_somebody_who_has_blocked_looks_like_any_other_and_does_not_arrive(alice: Client, bob: Client) -> None:
    block(bob, "alice")
    events(bob)
    assert add(alice, "bob", greeting="let me in") == pb.OK
    assert events(alice) == [("bob", REQUESTED)]
    assert states(alice) == {"bob": REQUESTED}
    assert events(bob) == []
    assert states(bob) == {"alice": BLOCKED}
    unblock(bob, "alice")
    assert states(bob) == {}
    events(bob)
    assert add(alice, "bob", greeting="again") == pb.OK
    assert events(bob) == [("alice", INVITED)]


def test_who_blocks_unblocks_before_he_makes_friends(alice: Client, bob: Client) -> None:
    add(bob, "alice")
    block(alice, "bob")
    assert add(alice, "bob") == answer(alice, "bob", accept=True) == pb.FAILED_PRECONDITION
    unblock(alice, "bob")
    assert states(alice) == {"bob": INVITED}
    assert answer(alice, "bob", accept=True) == pb.OK


def test_strangers_can_be_blocked(alice: Client, bob: Client) -> None:
    assert block(alice, "bob") == pb.OK
    assert events(bob) == []
    assert states(bob) == {}
    assert say(bob, "alice").code == pb.PERMISSION_DENIED


# ---------------------------------------------------------------- the list


def test_the_list_tells_a_second_device_what_has_changed_since(world: World, alice: Client, bob: Client) -> None:
    carol = live(world, "carol")
    befriend(alice, "alice", bob, "bob")
    add(carol, "alice")
    laptop = live(world, "alice", "laptop")
    first = roster(laptop)
    assert [(item.user, item.state) for item in first.items] == [("bob", FRIEND), ("carol", INVITED)]  # oldest change first
    assert states(laptop, since=first.version) == {}
    assert roster(laptop, since=first.version).version == first.version
    remove(bob, "alice")
    answer(alice, "carol", accept=True)
    add(alice, "dave")
    second = roster(laptop, since=first.version)
    assert [(item.user, item.state) for item in second.items] == [("bob", NONE), ("carol", FRIEND), ("dave", REQUESTED)]
    assert second.version > first.version
    assert states(laptop, since=second.version) == {}
    assert states(laptop) == {"carol": FRIEND, "dave": REQUESTED}  # one who begins has nothing to forget


@pytest.mark.parametrize("since", [0, 1])
def test_pages_of_the_list_follow_each_other_without_a_gap(world: World, alice: Client, since: int) -> None:
    names = [f"user{n}" for n in range(8)]
    add_users(world, names)
    for name in names:
        add(alice, name)
    remove(alice, names[3])
    found, page = [], roster(alice, since=since, limit=3)
    while True:
        assert len(page.items) <= 3
        found += [item.user for item in page.items]
        if not page.next:
            break
        page = roster(alice, since=since, limit=3, after=page.next)
    if since:
        assert found == [*names[1:3], *names[4:], names[3]]  # the first has version 1
    else:
        assert found == [*names[:3], *names[4:]]
    assert page.version == 9


def test_a_page_of_the_list_fits_into_a_frame(make_virtual: Callable[..., VirtualWorld]) -> None:
    world = make_virtual(max_frame_bytes=4096)
    names = [f"{n:02}".ljust(64, "x") for n in range(15)]
    add_users(world, names)
    for name in names:
        add(live(world, name), "alice", greeting="g" * 512)
    alice = live(world, "alice")
    found, after = [], ""
    while after or not found:
        page = roster(alice, after=after)
        assert page.ByteSize() < 4096
        found += [item.user for item in page.items]
        after = page.next
    assert found == names


@pytest.mark.parametrize("token", ["x", "-1", "1.5", "9" * 30, "٣"])
def test_what_is_no_page_token_is_an_invalid_argument(alice: Client, token: str) -> None:
    assert ask(alice, list=pb.ListContacts(after=token)).code == pb.INVALID_ARGUMENT


def test_any_version_can_be_asked_for(alice: Client) -> None:
    assert states(alice, since=(1 << 64) - 1) == {}


# ---------------------------------------------------------------- what is refused


def test_tenants_do_not_see_each_other(world: World, alice: Client, bob: Client) -> None:
    org, appkey = OTHER_TENANT
    namesake = live(world, "alice", org=org, appkey=appkey)
    erin = live(world, "erin", org=org, appkey=appkey)
    assert add(alice, "erin") == add(erin, "bob") == block(erin, "bob") == pb.NOT_FOUND
    befriend(namesake, "alice", erin, "erin")
    block(bob, "alice")
    assert states(alice) == {}
    assert states(namesake) == {"erin": FRIEND}
    assert events(alice) == []
    add(alice, "bob")
    assert events(namesake) == []
    assert say(erin, "alice").code == pb.OK


@pytest.mark.parametrize("operation", ["add", "answer", "remove", "block", "unblock"])
def test_the_other_one_is_somebody_else_and_exists(alice: Client, operation: str) -> None:
    fields = {"add": pb.ContactAdd, "answer": pb.ContactAnswer}.get(operation, pb.ContactRef)
    codes = [ask(alice, **{operation: fields(user=name)}).code for name in ("nobody", "alice", "", "no name", "x" * 65)]
    assert codes == [pb.NOT_FOUND] + [pb.INVALID_ARGUMENT] * 4
    assert states(alice) == {}


def test_texts_are_short_and_without_control_characters(alice: Client, bob: Client) -> None:
    for fields in ({"greeting": "ä" * 257}, {"greeting": "a\nb"}, {"remark": "x" * 129}, {"remark": "\x7f"}):
        assert add(alice, "bob", **fields) == pb.INVALID_ARGUMENT
    assert add(alice, "bob", greeting="ä" * 256, remark="x" * 128) == pb.OK
    assert answer(bob, "alice", accept=False, reason="x" * 513) == pb.INVALID_ARGUMENT
    assert states(bob) == {"alice": INVITED}


@pytest.mark.parametrize("payload", [b"", b"\xff\xff", contact(event=pb.ContactItem(user="bob", state=FRIEND))])
def test_what_is_no_request_is_an_invalid_argument(alice: Client, payload: bytes) -> None:
    assert alice.ask(pb.CONTACT, payload).code == pb.INVALID_ARGUMENT


def test_a_removed_user_cannot_be_asked_and_can_be_forgotten(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    befriend(alice, "alice", bob, "bob")
    change_user(virtual, "bob", state=UserState.REMOVED)
    change_user(virtual, "carol", state=UserState.REMOVED)
    virtual.clock.advance(2_000)
    assert add(alice, "bob") == add(alice, "carol") == block(alice, "bob") == pb.NOT_FOUND
    assert remove(alice, "bob") == pb.OK
    assert states(alice) == {}
