"""Protocol §8: errors, and what nobody may do to others."""

import socket
from collections.abc import Callable
from contextlib import closing
from random import Random
from select import select

import pytest

from rockdove.core.records import UserState
from rockdove.core.services.message import ROUTES
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import PASSWORD, Client
from tests.protocol.real import RealWorld
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import Gate, VirtualWorld, socket_of
from tests.protocol.world import OTHER_TENANT, World, add_users, change_tenant, change_user, live, password_hash
from tests.raw import acknowledging, framed, sending, text_message, text_of

CODES = set(pb.Code.values())

WRONG_REQUESTS = [
    (pb.MESSAGE, text_message("nobody", "x").SerializeToString()),
    (pb.MESSAGE, text_message("not a name", "x").SerializeToString()),
    (pb.MESSAGE, text_message("bob", "x" * 16_385).SerializeToString()),
    (pb.MESSAGE, b"\xff"),
    (pb.MESSAGE, b""),
    (pb.SYNC, b""),
    (pb.SYNC, b"\xff"),
    (pb.SYNC, pb.Sync(pull=pb.Pull(peer="nobody")).SerializeToString()),
    (pb.RECEIPT, b""),
    (pb.RECEIPT, b"\xff"),
    (pb.RECEIPT, pb.Receipt(peer="bob", seq=99).SerializeToString()),
    (pb.SYNC, pb.Sync(readers=pb.ListReaders(peer="a\0b", seq=2**63)).SerializeToString()),
    (pb.GROUP, pb.Group(list=pb.ListGroups(after="a\0b")).SerializeToString()),
    (77, b""),
    (-1, b"x"),
]


def test_an_error_answer_ends_no_connection_and_changes_nothing(world: World, alice: Client, bob: Client) -> None:
    alice.say("bob", "before")
    bob.everything()
    before = alice.conversations(), alice.pull("bob")
    for kind, payload in WRONG_REQUESTS:
        answer = alice.ask(kind, payload)
        assert answer.code in CODES - {pb.OK, pb.INTERNAL}
        assert not answer.payload
    assert (alice.conversations(), alice.pull("bob")) == before
    assert bob.everything() == []
    assert alice.say("bob", "after").seq == 2


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1])
def test_no_number_is_too_large_for_the_server(alice: Client, bob: Client, number: int) -> None:
    text = pb.MessageTxt(txt="x").SerializeToString()
    for kind, content in (
        (pb.RECALL, pb.Change(msgid=number)),
        (pb.EDIT, pb.Change(msgid=number, type=pb.TXT, payload=text)),
        (pb.REACTION, pb.Reaction(msgid=number, emoji="x")),
    ):
        message = pb.Message(type=kind, to="bob", payload=content.SerializeToString())
        assert alice.ask(pb.MESSAGE, message.SerializeToString()).code == pb.NOT_FOUND
    for sync in (
        pb.Sync(search=pb.Search(text="x", since=min(number, 2**63 - 1))),
        pb.Sync(search=pb.Search(text="x", until=min(number, 2**63 - 1))),
        pb.Sync(pull=pb.Pull(peer="bob", after=number, before=number)),
    ):
        assert alice.ask(pb.SYNC, sync.SerializeToString()).code == pb.OK
    for kind, payload in (
        (pb.SYNC, pb.Sync(hide=pb.Hide(peer="bob", seqs=[number])).SerializeToString()),
        (pb.SYNC, pb.Sync(hide=pb.Hide(peer="bob", through=number)).SerializeToString()),
        (pb.RECEIPT, pb.Receipt(peer="bob", seq=number).SerializeToString()),
    ):
        assert alice.ask(kind, payload).code == pb.INVALID_ARGUMENT
    assert alice.say("bob", "after").seq == 1


def test_a_reason_is_one_sentence_of_english_without_the_insides_of_the_server(alice: Client) -> None:
    for kind, payload in WRONG_REQUESTS:
        reason = alice.ask(kind, payload).reason
        assert 10 < len(reason) < 200
        assert reason.isprintable()
        assert not any(word in reason for word in ("Traceback", "rockdove.", "Exception", ".py", "sqlite"))


def test_an_answer_of_success_gives_no_reason(alice: Client) -> None:
    assert alice.send(text_message("bob", "x")).reason == ""
    assert alice.read("bob", 1).reason == ""


def test_a_mistake_of_the_servers_own_costs_one_request(virtual: VirtualWorld) -> None:
    async def messages(*_: object) -> None:
        raise ZeroDivisionError

    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "one")
    virtual.store.newest = messages
    pull = pb.Sync(pull=pb.Pull(peer="bob", before=2)).SerializeToString()
    answer = alice.ask(pb.SYNC, pull)
    assert answer.code == pb.INTERNAL
    assert "ZeroDivision" not in answer.reason
    assert alice.say("bob", "two").seq == 2
    assert bob.ping()
    assert [fault.split()[0] for fault in virtual.journal.faults] == ["request_failed"]
    virtual.journal.faults.clear()


# ---------------------------------------------------------------- accounts that change


def test_somebody_disabled_is_put_out_within_seconds(virtual: VirtualWorld) -> None:
    phone, tablet, bob = live(virtual, "alice", "phone"), live(virtual, "alice", "tablet"), live(virtual, "bob")
    change_user(virtual, "alice", state=UserState.DISABLED)
    virtual.clock.advance(3_000)
    for client in (phone, tablet):
        assert client.farewell().code == pb.KICKED  # type: ignore[union-attr]
    assert bob.say("alice", "for later").seq == 1
    change_user(virtual, "alice", state=UserState.ACTIVE)
    assert len(live(virtual, "alice", "phone").messages()) == 1


def test_somebody_removed_is_put_out_within_seconds(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    change_user(virtual, "alice", state=UserState.REMOVED)
    virtual.clock.advance(3_000)
    assert alice.farewell().code == pb.KICKED  # type: ignore[union-attr]


def test_a_new_password_ends_the_sessions_of_the_old_one(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    change_user(virtual, "alice", password_hash=password_hash("another password"))
    virtual.clock.advance(3_000)
    assert alice.farewell().code == pb.TOKEN_EXPIRED  # type: ignore[union-attr]
    assert bob.ping()
    assert live(virtual, "alice", token="another password").ping()


def test_the_namesake_in_another_tenant_is_left_alone(virtual: VirtualWorld) -> None:
    org, appkey = OTHER_TENANT
    other = live(virtual, "alice", org=org, appkey=appkey)
    change_user(virtual, "alice", state=UserState.DISABLED)
    change_tenant(virtual, strangers=False)
    virtual.clock.advance(3_000)
    assert other.say("erin", "still here").seq == 1


# ---------------------------------------------------------------- the end of the server


def test_a_server_that_stops_says_so_and_finishes_what_it_has_taken(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    alice.say("bob", "one")
    bob.ack(bob.messages()[0].msgid)
    alice.write(sending(7, text_message("bob", "two")))
    virtual.drain()
    alice.write(sending(8, text_message("bob", "too late")))
    assert alice.farewell().code == pb.SERVER_SHUTDOWN  # type: ignore[union-attr]
    assert [command.response.seqid for command in alice.inbox[:-1]] == [7]
    assert bob.farewell().code == pb.SERVER_SHUTDOWN  # type: ignore[union-attr]
    virtual.crash()
    assert [text_of(message) for message in live(virtual, "bob").messages()] == ["two"]


def test_a_server_that_stops_says_so_also_to_those_who_have_not_logged_in(virtual: VirtualWorld) -> None:
    newcomer = virtual.connect()
    virtual.drain()
    assert newcomer.farewell().code == pb.SERVER_SHUTDOWN  # type: ignore[union-attr]


def test_a_server_with_others_moves_its_clients_evenly(virtual: VirtualWorld) -> None:
    clients = [live(virtual, "alice", f"device{number}") for number in range(100)]
    newcomer = virtual.connect()
    virtual.drain(4_000)
    assert newcomer.farewell().code == pb.SERVER_SHUTDOWN  # type: ignore[union-attr]
    assert virtual.connect().farewell().code == pb.SERVER_SHUTDOWN  # type: ignore[union-attr]
    for percent in range(10, 101, 10):
        virtual.clock.advance(400)
        assert abs(sum(client.settle().pipe.ended for client in clients) - percent) <= 2
    assert {client.farewell().code for client in clients} == {pb.SERVER_SHUTDOWN}  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 3])
def test_few_clients_are_moved_within_the_time_too(virtual: VirtualWorld, count: int) -> None:
    clients = [live(virtual, "alice", f"device{number}") for number in range(count)]
    virtual.drain(3_000)
    for number in range(count):
        clients[number % count].settle()
    virtual.clock.advance(3_000)
    assert [client.farewell().code for client in clients] == [pb.SERVER_SHUTDOWN] * count  # type: ignore[union-attr]


def test_those_who_are_left_are_served_and_told_at_once_when_there_is_no_time(virtual: VirtualWorld) -> None:
    clients = [live(virtual, "alice", f"device{number}") for number in range(10)]
    virtual.drain(60_000)
    virtual.clock.advance(1_000)
    last = next(client for client in clients if not client.settle().pipe.ended)
    assert last.say("bob", "still served").seq == 1
    virtual.drain()
    assert {client.farewell().code for client in clients} == {pb.SERVER_SHUTDOWN}  # type: ignore[union-attr]


# ---------------------------------------------------------------- attackers


def garbage(client: Client, random: Random) -> None:
    client.write_bytes(random.randbytes(2_000))


def half_frames(client: Client, random: Random) -> None:
    client.write_bytes(framed(sending(1, text_message("bob", "x" * 1_000)))[: random.randrange(1, 900)])


def a_flood_of_pings(client: Client, random: Random) -> None:
    client.write_bytes(framed(pb.Command(ping=pb.Ping())) * random.randrange(1_000, 3_000))


def a_flood_of_messages(client: Client, random: Random) -> None:
    client.write(*[sending(0, text_message("bob", "spam"))] * 500)


def a_flood_of_errors(client: Client, random: Random) -> None:
    client.write(*[sending(1, text_message("nobody", "x"))] * 500)


def a_flood_of_options(client: Client, random: Random) -> None:
    request = pb.Request(type=pb.MESSAGE, opts=[pb.Option()] * 40_000)
    client.write(pb.Command(request=request))


def a_flood_of_acks(client: Client, random: Random) -> None:
    client.write(*[acknowledging(random.getrandbits(64)) for _ in range(1_000)])


def a_flood_of_pulls(client: Client, random: Random) -> None:
    pull = pb.Sync(pull=pb.Pull(peer="bob", before=random.randrange(1 << 64), limit=200)).SerializeToString()
    client.write(*[pb.Command(request=pb.Request(type=pb.SYNC, payload=pull))] * 50)


def never_reading(client: Client, random: Random) -> None:
    if not client.pipe.pings_to_settle:  # a real one does not read anyway
        socket_of(client).stop_reading()
    a_flood_of_pulls(client, random)
    a_flood_of_messages(client, random)


ATTACKS = [
    garbage,
    half_frames,
    a_flood_of_pings,
    a_flood_of_messages,
    a_flood_of_errors,
    a_flood_of_options,
    a_flood_of_acks,
    a_flood_of_pulls,
    never_reading,
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("logged_in", [True, False], ids=["inside", "outside"])
def test_a_pair_beside_an_attacker_does_not_notice_him(
    world: World, attack: Callable[[Client, Random], None], logged_in: bool
) -> None:
    """He attacks 20 times, on a new connection whenever the old one was ended; all others lose and wait for nothing."""
    random = Random(1)
    alice, bob = live(world, "alice"), live(world, "bob")
    attacker = None
    said, heard = [], []
    for n in range(20):
        if attacker is None or n % 4 == 0:
            attacker = world.connect("203.0.113.1")
            if logged_in:
                attacker.login("carol", device=f"device{n}")
        attack(attacker, random)
        alice.say("bob", f"{n}")
        bob.say("alice", f"re: {n}")
        said.append(f"{n}")
        for message in bob.messages():
            bob.ack(message.msgid)
            if getattr(message, "from") == "alice":
                heard.append(text_of(message))
        for message in alice.messages():
            alice.ack(message.msgid)
    while messages := bob.messages():
        bob.ack(*(message.msgid for message in messages))
        heard += [text_of(message) for message in messages if getattr(message, "from") == "alice"]
    assert heard == said
    assert alice.ping()


def test_a_pair_beside_thousands_of_bad_logins_does_not_notice_them(virtual: VirtualWorld) -> None:
    alice, bob = live(virtual, "alice"), live(virtual, "bob")
    token = virtual.connect().login("alice", device="tablet").resume_token
    virtual.passwords.gate = Gate()  # the checks do not keep up
    for n in range(3_000):
        attacker = virtual.connect(f"203.0.113.{n % 250}")
        connect = pb.Connect(org="default", appkey="default", user=f"user{n % 10}", token=f"guess {n}")
        attacker.write(pb.Command(connect=connect))
        if n % 100 == 0:
            alice.say("bob", f"{n}")
    assert len(bob.messages()) == 30
    assert virtual.connect().login("alice", token, device="tablet").status == pb.STATUS_OK


def test_one_who_writes_to_everybody_is_remembered_with_some_of_them_only(virtual: VirtualWorld) -> None:
    everybody = [f"user{n}" for n in range(ROUTES + 10)]
    add_users(virtual, everybody)
    alice = live(virtual, "alice")
    for name in everybody:
        assert alice.say(name, "hello").seq == 1
        assert len(socket_of(alice).session.routes) <= ROUTES


def test_another_tenants_names_are_told_by_no_error(world: World, alice: Client) -> None:
    def answers(name: str) -> list[bytes]:
        """What alice is told about somebody."""
        found = [
            alice.send(text_message(name, "x"), 1),
            alice.send(text_message(name, "x"), 2, transient=True),
            alice.ask(pb.SYNC, pb.Sync(pull=pb.Pull(peer=name)).SerializeToString(), seqid=3),
            alice.ask(pb.RECEIPT, pb.Receipt(peer=name, seq=1).SerializeToString(), seqid=4),
        ]
        return [answer.SerializeToString(deterministic=True).replace(name.encode(), b"NAME") for answer in found]

    assert answers("erin") == answers("eric")


def test_the_network_holds_back_one_who_does_not_read_his_answers() -> None:
    """On a real connection: the server stops taking what he writes, long before it is much."""
    with closing(RealWorld(MemoryStorage())) as world:
        alice = live(world, "alice")
        alice.say_all("bob", ["x" * 16_000] * 8)
        pull = pb.Sync(pull=pb.Pull(peer="bob")).SerializeToString()
        requests = framed(pb.Command(request=pb.Request(type=pb.SYNC, payload=pull, seqid=1))) * 10_000
        with socket.create_connection(("127.0.0.1", world.port)) as connection:
            connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD, device="deaf")
            connection.sendall(framed(pb.Command(connect=connect)))
            connection.setblocking(False)
            written = 0
            while select([], [connection], [], 1)[1]:
                written += connection.send(requests)
                assert written < 50_000_000
        assert alice.ping()
