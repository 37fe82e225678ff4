"""Protocol §3: login."""

from collections.abc import Callable
from typing import Any

import pytest

from rockdove.auth import app_token
from rockdove.core.errors import StoreUnavailable
from rockdove.core.records import UserState
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import PASSWORD, Client, frame_at
from tests.protocol.storage import on_one_node
from tests.protocol.virtual import Gate, VirtualWorld, socket_of
from tests.protocol.world import OTHER_TENANT, World, change_tenant, change_user, live, password_hash, tenant_of
from tests.raw import acknowledging, framed, sending, text_message, text_of

DAY_MS = 86_400_000


def ended_with(client: Client, code: int) -> None:
    """The server has ended the connection, giving `code`."""
    last = client.farewell()
    assert last is not None
    assert pb.DisconnectCode.Name(last.code) == pb.DisconnectCode.Name(code), last
    assert last.reason


# ---------------------------------------------------------------- the first frame


@pytest.mark.parametrize(
    "command",
    [
        pb.Command(ping=pb.Ping()),
        sending(1, text_message("bob", "hello")),
        pb.Command(response=pb.Response()),
        pb.Command(conack=pb.ConAck()),
    ],
    ids=["ping", "request", "response", "conack"],
)
def test_the_first_frame_is_a_connect(world: World, command: pb.Command) -> None:
    client = world.connect()
    client.write(command)
    ended_with(client, pb.LOGIN_REQUIRED)


def test_without_a_connect_within_10_s_the_connection_ends(virtual: VirtualWorld) -> None:
    client = virtual.connect()
    virtual.clock.advance(9_000)
    assert not client.settle().pipe.ended
    virtual.clock.advance(2_000)
    ended_with(client, pb.LOGIN_REQUIRED)


def test_half_a_connect_is_none(virtual: VirtualWorld) -> None:
    client = virtual.connect()
    client.write_bytes(framed(pb.Command(connect=pb.Connect(org="default", appkey="default", user="alice")))[:-1])
    virtual.clock.advance(11_000)
    ended_with(client, pb.LOGIN_REQUIRED)


def test_a_password_check_that_takes_long_does_not_end_the_connection(virtual: VirtualWorld) -> None:
    virtual.passwords.gate = Gate()
    client = virtual.connect()
    connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD)
    client.write(pb.Command(connect=connect))
    virtual.clock.advance(60_000)
    virtual.passwords.gate.open()
    assert client.take("conack").status == pb.STATUS_OK


def test_after_the_connect_nothing_is_read_until_the_login_is_decided(virtual: VirtualWorld) -> None:
    virtual.passwords.gate = Gate()
    client = virtual.connect()
    client.write(pb.Command(connect=pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD)))
    for _ in range(100):
        client.write_bytes(framed(pb.Command(ping=pb.Ping())) * 100)
    assert socket_of(client).untaken_bytes > 90 * 300
    virtual.passwords.gate.open()
    assert client.take("conack").status == pb.STATUS_OK
    assert len(client.everything()) == 10_000


def test_a_clients_disconnect_closes_without_an_answer_and_nothing_after_it_is_read(world: World, bob: Client) -> None:
    client = live(world, "alice")
    client.write(
        sending(1, text_message("bob", "before")),
        pb.Command(disconnect=pb.Disconnect()),
        sending(2, text_message("bob", "after")),
        pb.Command(conack=pb.ConAck()),
    )
    assert client.farewell() is None
    assert [command.response.seqid for command in client.inbox] == [1]
    assert [text_of(message) for message in bob.messages()] == ["before"]


def test_a_clients_disconnect_before_login_closes_without_an_answer(world: World) -> None:
    client = world.connect()
    client.write(pb.Command(disconnect=pb.Disconnect()), pb.Command(ping=pb.Ping()))
    assert client.farewell() is None
    assert not client.inbox


# ---------------------------------------------------------------- success


def test_success_tells_everything_a_client_needs(make_world: Callable[..., World]) -> None:
    world = make_world(heartbeat_seconds=17, window=99, max_frame_bytes=70_000)
    answer = world.connect().login("alice", device="phone")
    assert answer.status == pb.STATUS_OK
    assert answer.code == pb.OK
    assert not answer.HasField("reason")
    assert answer.session
    assert abs(answer.server_time - world.node.scheduler.now_ms()) < 60_000
    assert (answer.heartbeat_seconds, answer.window, answer.max_frame_bytes) == (17, 99, 70_000)
    assert answer.resume_token
    assert answer.resume_expires_at > answer.server_time + DAY_MS
    assert answer.epoch == world.node.store.epoch != 0
    assert answer.last_seqid == 0


def test_every_connection_has_a_session_id_of_its_own(world: World) -> None:
    assert len({world.connect().login("alice", device=device).session for device in "abc"}) == 3


def test_last_seqid_is_the_highest_one_stored_for_this_device(world: World) -> None:
    top = (1 << 64) - 1
    client = live(world, "alice", "phone")
    for seqid in (5, top, 7):
        client.say("bob", f"{seqid}", seqid)
    assert world.connect().login("alice", device="phone").last_seqid == top
    assert world.connect().login("alice", device="tablet").last_seqid == 0


def test_a_client_that_knows_only_the_founding_schema_can_take_part(world: World, alice: Client) -> None:
    old = world.connect()
    # Command{version, connect{org, appkey, user, token}}, and nothing else.
    fields = [b"default", b"default", b"bob", PASSWORD.encode()]
    connect = b"".join(bytes((number << 3 | 2, len(field))) + field for number, field in enumerate(fields, 1))
    body = b"\x08\x01\x1a" + bytes((len(connect),)) + connect
    old.write_bytes(bytes((len(body),)) + body)
    assert old.take("conack").status == pb.STATUS_OK
    alice.say_all("bob", ["one", "two", "three"])
    assert [text_of(message) for message in old.messages()] == ["one", "two", "three"]
    # Command{version, response{code 0, reason ""}}: it knows no seqid, which acknowledges the oldest.
    old.write_bytes(b"\x04\x08\x01\x3a\x00" * 2)
    old.settle()
    again = world.connect()
    assert again.login("bob").status == pb.STATUS_OK
    assert [text_of(message) for message in again.messages()] == ["three"]


# ---------------------------------------------------------------- failure


def refusal(world: World, user: str = "alice", token: str = PASSWORD, **fields: Any) -> pb.ConAck:
    """The answer to a login that is refused; the connection has closed."""
    client = world.connect()
    answer = client.login(user, token, **fields)
    assert answer.status == pb.STATUS_FAIL
    assert {field.name for field, _ in answer.ListFields()} == {"status", "reason", "code"}
    assert client.farewell() is None
    assert not client.inbox
    return answer


def test_whatever_is_wrong_is_refused_in_the_same_words(world: World) -> None:
    change_user(world, "dave", state=UserState.DISABLED)
    change_user(world, "carol", state=UserState.REMOVED)
    org, appkey = OTHER_TENANT
    answers = [
        refusal(world, token="wrong"),
        refusal(world, token=""),
        refusal(world, token="x" * 2000),
        refusal(world, token="r1.99999999999999." + "A" * 43),
        refusal(world, token="a.b.c"),
        refusal(world, user="nobody"),
        refusal(world, org="nobody"),
        refusal(world, appkey="nothing"),
        refusal(world, user="Alice"),
        refusal(world, user="erin"),  # of the other tenant
        refusal(world, user="bob", org=org, appkey=appkey),
        refusal(world, org=org),
        refusal(world, appkey=appkey),
        refusal(world, user="dave"),
        refusal(world, user="carol"),
    ]
    assert {answer.SerializeToString(deterministic=True) for answer in answers} == {
        answers[0].SerializeToString(deterministic=True)
    }
    assert answers[0].code == pb.UNAUTHENTICATED


@pytest.mark.parametrize("field", ["org", "appkey", "user", "device"])
@pytest.mark.parametrize("name", ["", "a b", "a#b", "ä", "中", "x" * 65, "a\n", "a/b", "@all", "\0"])
def test_an_illegal_name_is_an_invalid_argument(virtual: VirtualWorld, field: str, name: str) -> None:
    if (field, name) != ("device", ""):
        answer = refusal(virtual, **{"user": "alice", field: name})
        assert answer.code == pb.INVALID_ARGUMENT
        assert field in answer.reason


def test_a_name_may_be_64_characters_of_those_allowed(world: World) -> None:
    assert world.connect().login("alice", device="ABCXYZabcxyz0189._-" + "x" * 45).status == pb.STATUS_OK


@pytest.mark.parametrize("text", ["ä" * 64, "Mozilla/5.0 " * 30, "a\x1b[2J"])
def test_nobody_is_refused_for_what_the_client_calls_itself(virtual: VirtualWorld, text: str) -> None:
    assert virtual.connect().login("alice", client=text).code == pb.OK


def test_a_new_device_that_cannot_be_stored_is_told_to_come_back(virtual: VirtualWorld) -> None:
    async def open_device(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    virtual.store.open_device = open_device
    client = virtual.connect()
    answer = client.login("alice", device="new")
    assert (answer.status, answer.code) == (pb.STATUS_FAIL, pb.UNAVAILABLE)
    assert client.farewell() is None


# ---------------------------------------------------------------- too many tries


def tries(virtual: VirtualWorld, count: int, token: str, address: str, user: str = "alice") -> list[int]:
    """Log in again and again; the codes of the answers."""
    codes = []
    for _ in range(count):
        client = virtual.connect(address)
        codes.append(client.login(user, token).code)
        client.pipe.hang_up()
    return codes


@on_one_node
def test_after_too_many_tries_even_the_right_password_is_refused(virtual: VirtualWorld) -> None:
    codes = tries(virtual, 20, "wrong", "192.0.2.66")
    allowed = codes.count(pb.UNAUTHENTICATED)
    assert 5 <= allowed < 20
    assert codes == [pb.UNAUTHENTICATED] * allowed + [pb.RESOURCE_EXHAUSTED] * (20 - allowed)
    assert tries(virtual, 1, PASSWORD, "192.0.2.66") == [pb.RESOURCE_EXHAUSTED]


def test_only_the_guesser_is_refused(virtual: VirtualWorld) -> None:
    before = live(virtual, "alice")
    tries(virtual, 200, "wrong", "192.0.2.66")
    assert tries(virtual, 1, PASSWORD, "192.0.2.1") == [pb.OK]
    assert tries(virtual, 1, PASSWORD, "192.0.2.66", user="bob") == [pb.OK]
    assert not before.pipe.ended or before.farewell()


def test_one_who_guesses_at_many_users_is_refused_too(virtual: VirtualWorld) -> None:
    codes = [tries(virtual, 1, "wrong", "192.0.2.66", user=f"user{n}")[0] for n in range(300)]
    assert pb.RESOURCE_EXHAUSTED in codes
    assert codes == sorted(codes, reverse=True)  # UNAUTHENTICATED is 16, RESOURCE_EXHAUSTED 8


@on_one_node
def test_guesses_made_at_the_same_time_count_like_those_made_one_by_one(virtual: VirtualWorld) -> None:
    virtual.passwords.gate = Gate()
    clients = [virtual.connect("192.0.2.66") for _ in range(50)]
    for client in clients:
        client.write(pb.Command(connect=pb.Connect(org="default", appkey="default", user="alice", token="wrong")))
    right = virtual.connect("192.0.2.66")
    right.write(pb.Command(connect=pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD)))
    virtual.passwords.gate.open()
    codes = [client.take("conack").code for client in clients]
    assert codes.count(pb.UNAUTHENTICATED) <= 10
    assert right.take("conack").code == pb.RESOURCE_EXHAUSTED  # else the number of guesses would be unbounded


def test_after_a_while_one_may_try_again(virtual: VirtualWorld) -> None:
    tries(virtual, 20, "wrong", "192.0.2.66")
    virtual.clock.advance(60_000)
    assert tries(virtual, 1, PASSWORD, "192.0.2.66") == [pb.OK]


def test_logging_in_rightly_is_not_counted(virtual: VirtualWorld) -> None:
    assert tries(virtual, 300, PASSWORD, "192.0.2.1") == [pb.OK] * 300


# ---------------------------------------------------------------- too many at once


def knock(virtual: VirtualWorld, user: str, device: str = "", address: str = "192.0.2.1") -> Client:
    """Ask to be let in, and wait for nothing."""
    client = virtual.connect(address)
    client.write(pb.Command(connect=pb.Connect(org="default", appkey="default", user=user, token=PASSWORD, device=device)))
    return client


def answered(client: Client) -> int | None:
    """The code of the ConAck, if it came."""
    client.settle()
    return client.take("conack").code if client.inbox else None


def idle(virtual: VirtualWorld) -> bool:
    """Nobody logs in or waits for it."""
    return not any(queue.under_way or queue.waiting for queue in (virtual.node.logins, virtual.node.password_logins))


@on_one_node
def test_a_crowd_is_let_in_whoever_waits_and_however_long(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(logins_at_once=3, logins_waiting=100)
    virtual.passwords.gate = Gate()
    crowd = [knock(virtual, "alice", f"device{n}") for n in range(60)]
    virtual.clock.advance(60_000)  # beyond the time in which a Connect has to come
    assert not any(client.pipe.ended for client in crowd)
    virtual.passwords.gate.open()
    assert [answered(client) for client in crowd] == [pb.OK] * 60
    assert idle(virtual)
    assert virtual.node.login.accepted == 60


@on_one_node
def test_who_would_wait_too_long_is_told_to_come_again(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(logins_at_once=2, logins_waiting=3)
    virtual.passwords.gate = Gate()
    crowd = [knock(virtual, "alice", f"device{n}") for n in range(5)]
    virtual.clock.advance(4_000)
    late = knock(virtual, "bob")
    refused = late.take("conack")
    assert (refused.status, refused.code) == (pb.STATUS_FAIL, pb.UNAVAILABLE)
    assert "try again in 4 s" in refused.reason
    assert late.farewell() is None
    virtual.passwords.gate.open()
    assert [answered(client) for client in crowd] == [pb.OK] * 5
    assert answered(knock(virtual, "bob")) == pb.OK
    assert virtual.node.login.refused == {pb.UNAVAILABLE: 1}


@on_one_node
def test_who_hangs_up_while_waiting_frees_the_place(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(logins_at_once=1, logins_waiting=2)
    virtual.passwords.gate = Gate()
    first, second, third = (knock(virtual, "alice", f"device{n}") for n in range(3))
    second.pipe.hang_up()
    fourth = knock(virtual, "bob")
    assert answered(fourth) is None
    first.pipe.hang_up()  # its password is being checked, and goes on being checked
    assert answered(knock(virtual, "bob", "other")) == pb.UNAVAILABLE
    virtual.passwords.gate.open()
    assert (answered(third), answered(fourth)) == (pb.OK, pb.OK)
    assert idle(virtual)


def test_what_a_connection_left_behind_is_stored_before_the_next_one_is_let_in(virtual: VirtualWorld) -> None:
    """It is lost in the turn in which its last message and its last ack come, and in which the device is back."""
    alice, bob = virtual.connect(), live(virtual, "bob")
    token = alice.login("alice", device="phone").resume_token
    pushed = bob.say("alice", "hello").msgid
    assert [message.msgid for message in alice.settle().messages()] == [pushed]
    alice.write(acknowledging(pushed), sending(77, text_message("bob", "last words")))
    alice.pipe.hang_up()
    again = virtual.connect()
    connect = pb.Connect(org="default", appkey="default", user="alice", token=token, device="phone")
    again.write(pb.Command(connect=connect))
    again.settle()
    assert again.take("conack").last_seqid == 77
    assert again.everything() == []


@on_one_node
def test_a_login_with_a_token_looks_into_the_store_once(virtual: VirtualWorld) -> None:
    alice = virtual.connect()
    token = alice.login("alice", device="phone").resume_token
    alice.pipe.hang_up()
    looks = []
    lookup = virtual.store.caller

    async def noted(*arguments: Any) -> Any:
        looks.append(arguments)
        return await lookup(*arguments)

    async def broken(*_: object) -> None:
        raise OSError("what a login needs not")

    virtual.store.caller = noted
    for name in ("open_device", "device", "owed", "groups_of", "position"):
        setattr(virtual.store, name, broken)
    assert virtual.connect().login("alice", token, device="phone").code == pb.OK
    assert looks == [(1, "alice", "phone")]


def test_however_a_login_ends_the_next_has_its_turn(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(logins_at_once=1)

    async def broken(*_: object) -> None:
        raise OSError("a bug")

    async def unavailable(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    live(virtual, "alice", "phone")
    live(virtual, "alice", "phone")  # replaces
    refusal(virtual, token="wrong")
    refusal(virtual, user="a b")
    virtual.store.open_device = unavailable
    assert answered(knock(virtual, "alice")) == pb.UNAVAILABLE
    virtual.store.open_device = broken
    ended_with(knock(virtual, "alice"), pb.SERVER_SHUTDOWN)
    del virtual.store.open_device
    virtual.store.caller = broken
    ended_with(knock(virtual, "alice"), pb.SERVER_SHUTDOWN)
    del virtual.store.caller
    assert len(virtual.journal.faults) == 2
    virtual.journal.faults.clear()
    assert answered(knock(virtual, "bob")) == pb.OK
    assert idle(virtual)


@on_one_node
def test_who_has_a_token_does_not_wait_for_those_with_passwords(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(logins_at_once=1, logins_waiting=1)
    token = virtual.connect().login("alice", device="phone").resume_token
    virtual.passwords.gate = Gate()
    crowd = [knock(virtual, "bob", f"device{n}") for n in range(3)]
    assert [answered(client) for client in crowd] == [None, None, pb.UNAVAILABLE]
    assert virtual.connect().login("alice", token, device="phone").code == pb.OK
    vouched = app_token.sign(tenant_of(virtual), "newcomer", 1_700_000_000, 4_000_000_000)
    assert virtual.connect().login("newcomer", vouched).code == pb.OK
    virtual.passwords.gate.open()
    assert [answered(client) for client in crowd[:2]] == [pb.OK] * 2
    assert idle(virtual)


@on_one_node
def test_an_address_with_many_logins_does_not_keep_the_others_waiting(make_virtual: Callable[..., VirtualWorld]) -> None:
    virtual = make_virtual(logins_at_once=1, logins_waiting=100)
    virtual.passwords.gate = Gate()
    order = []
    crowd = [knock(virtual, "alice", f"device{n}", "192.0.2.66") for n in range(20)] + [knock(virtual, "bob")]
    for number, client in enumerate(crowd):
        socket_of(client).write = lambda data, number=number: order.append(number)  # type: ignore[method-assign]
    virtual.passwords.gate.open()
    virtual.clock.settle()
    assert order[:3] == [0, 1, 20] or order[:3] == [0, 20, 1]
    assert sorted(order) == list(range(21))


# ---------------------------------------------------------------- tokens


def test_a_resume_token_lets_the_same_device_in(world: World) -> None:
    token = world.connect().login("alice", device="phone").resume_token
    answer = world.connect().login("alice", token, device="phone")
    assert answer.status == pb.STATUS_OK
    assert answer.resume_token


def test_a_resume_token_is_good_for_nothing_else(world: World) -> None:
    token = world.connect().login("alice", device="phone").resume_token
    org, appkey = OTHER_TENANT
    assert refusal(world, token=token, device="tablet").code == pb.UNAUTHENTICATED
    assert refusal(world, token=token).code == pb.UNAUTHENTICATED
    assert refusal(world, user="bob", token=token, device="phone").code == pb.UNAUTHENTICATED
    assert refusal(world, token=token, device="phone", org=org, appkey=appkey).code == pb.UNAUTHENTICATED


def test_a_resume_token_expires_when_it_was_said_to(virtual: VirtualWorld) -> None:
    answer = virtual.connect().login("alice", device="phone")
    virtual.clock.leap(answer.resume_expires_at - virtual.clock.now_ms() - 1)
    assert virtual.connect().login("alice", answer.resume_token, device="phone").status == pb.STATUS_OK
    virtual.clock.leap(1)
    assert refusal(virtual, token=answer.resume_token, device="phone").code == pb.UNAUTHENTICATED


def test_a_resume_token_survives_a_restart_of_the_server(virtual: VirtualWorld) -> None:
    token = virtual.connect().login("alice", device="phone").resume_token
    virtual.crash()
    assert virtual.connect().login("alice", token, device="phone").status == pb.STATUS_OK


def test_a_new_password_voids_resume_tokens(world: World) -> None:
    token = world.connect().login("alice", device="phone").resume_token
    change_user(world, "alice", password_hash=password_hash("another password"))
    assert refusal(world, token=token, device="phone").code == pb.UNAUTHENTICATED
    assert refusal(world, token=PASSWORD).code == pb.UNAUTHENTICATED
    assert world.connect().login("alice", "another password").status == pb.STATUS_OK


def test_a_new_secret_of_the_tenant_voids_its_resume_tokens_within_a_second_and_ends_no_session(virtual: VirtualWorld) -> None:
    client = virtual.connect()
    token = client.login("alice", device="phone").resume_token
    org, appkey = OTHER_TENANT
    others = virtual.connect().login("erin", device="phone", org=org, appkey=appkey).resume_token
    change_tenant(virtual, token_secret=app_token.new_secret())
    virtual.clock.advance(1_000)
    assert refusal(virtual, token=token, device="phone").code == pb.UNAUTHENTICATED
    assert virtual.connect().login("erin", others, device="phone", org=org, appkey=appkey).status == pb.STATUS_OK
    client.say("bob", "still here")


def test_a_token_signed_by_the_tenant_lets_a_user_in(world: World) -> None:
    token = app_token.sign(tenant_of(world), "alice", 1_700_000_000, 4_000_000_000)
    assert world.connect().login("alice", token).status == pb.STATUS_OK
    assert refusal(world, user="bob", token=token).code == pb.UNAUTHENTICATED
    assert refusal(
        world, user="erin", token=app_token.sign(tenant_of(world, *OTHER_TENANT), "erin", 1_700_000_000, 4_000_000_000)
    ).code


def test_a_token_signed_by_the_tenant_makes_a_user_who_can_be_written_to(world: World, bob: Client) -> None:
    token = app_token.sign(tenant_of(world), "newcomer", 1_700_000_000, 4_000_000_000)
    client = world.connect()
    assert client.login("newcomer", token).status == pb.STATUS_OK
    bob.say("newcomer", "welcome")
    assert [text_of(message) for message in client.messages()] == ["welcome"]


def test_two_first_logins_at_once_make_one_user(virtual: VirtualWorld) -> None:
    token = app_token.sign(tenant_of(virtual), "newcomer", 1_700_000_000, 4_000_000_000)
    one, other = virtual.connect(), virtual.connect()
    for client, device in ((one, "phone"), (other, "tablet")):
        connect = pb.Connect(org="default", appkey="default", user="newcomer", token=token, device=device)
        client.write(pb.Command(connect=connect))
    assert one.take("conack").status == other.take("conack").status == pb.STATUS_OK
    one.say("newcomer", "note")
    assert [text_of(message) for message in other.messages()] == ["note"]


def test_a_newcomer_who_cannot_be_stored_is_told_to_come_back(virtual: VirtualWorld) -> None:
    async def add_users(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    token = app_token.sign(tenant_of(virtual), "newcomer", 1_700_000_000, 4_000_000_000)
    virtual.accounts.add_users = add_users  # type: ignore[method-assign]
    client = virtual.connect()
    answer = client.login("newcomer", token)
    assert (answer.status, answer.code) == (pb.STATUS_FAIL, pb.UNAVAILABLE)
    assert client.farewell() is None


# ---------------------------------------------------------------- one connection per device


def test_the_same_device_replaces_its_older_connection_and_no_other(world: World, bob: Client) -> None:
    tablet = live(world, "alice", "tablet")
    unnamed = live(world, "alice")
    older = live(world, "alice", "phone")
    newer = live(world, "alice", "phone")
    ended_with(older, pb.REPLACED)
    bob.say("alice", "hello")
    for client in (tablet, unnamed, newer):
        assert [text_of(message) for message in client.messages()] == ["hello"]


def test_an_older_connection_of_which_no_node_was_told_ends_also_if_it_sends_no_heartbeats(virtual: VirtualWorld) -> None:
    virtual.hub.fate = lambda: ()  # whatever nodes tell or ask each other is lost
    older = live(virtual, "alice", "phone")
    newer = live(virtual, "alice", "phone")
    for seqid in range(1, 6):  # it talks, and so it lives (protocol §5 Heartbeat)
        if not older.pipe.ended:
            older.write(sending(seqid, text_message("bob", "still here")))
        virtual.clock.advance(20_000)
        newer.ping()
    ended_with(older, pb.REPLACED)
    assert newer.ping()


def test_the_older_connection_is_told_before_the_newer_one_is_in(virtual: VirtualWorld) -> None:
    order = []
    older = live(virtual, "alice", "phone")
    newer = virtual.connect()
    for name, client in (("older", older), ("newer", newer)):
        socket_of(client).write = lambda data, name=name: order.append((name, data))  # type: ignore[method-assign]
    connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD, device="phone")
    newer.write(pb.Command(connect=connect))
    virtual.clock.settle()
    assert [name for name, _ in order] == ["older", "newer"]
    assert pb.Command.FromString(order[0][1][1:]).disconnect.code == pb.REPLACED


def test_of_two_logins_at_once_one_is_replaced_before_the_other_is_in(virtual: VirtualWorld) -> None:
    order = []
    clients = [virtual.connect() for _ in range(3)]
    for name, client in enumerate(clients):
        socket_of(client).write = lambda data, name=name: order.append((name, data))  # type: ignore[method-assign]
    for client in clients:
        connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD, device="phone")
        client.write(pb.Command(connect=connect))
    virtual.clock.settle()
    alive: list[int] = []
    for name, data in order:
        for command in split(data):
            if command.HasField("conack"):
                alive.append(name)
            elif command.HasField("disconnect") and name in alive:
                alive.remove(name)
            assert len(alive) <= 1
    assert len(alive) == 1
    assert sum(socket_of(client).ended for client in clients) == 2


def split(data: bytes) -> list[pb.Command]:
    """The commands in some frames."""
    commands = []
    at = 0
    while frame := frame_at(data, at):
        at = frame.stop
        commands.append(pb.Command.FromString(data[frame.start : at]))
    return commands


def test_what_the_older_connection_had_sent_is_answered_before_it_is_told(virtual: VirtualWorld) -> None:
    older = live(virtual, "alice", "phone")
    newer = virtual.connect()
    older.write(*(sending(n, text_message("bob", "x")) for n in range(1, 10)))
    connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD, device="phone")
    newer.write(pb.Command(connect=connect))
    assert newer.take("conack").last_seqid == 9
    ended_with(older, pb.REPLACED)
    assert [command.response.seqid for command in older.inbox[:-1]] == list(range(1, 10))


@pytest.mark.parametrize("asked_before", [False, True], ids=["asks-late", "answered-late"])
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "half-open"])
@pytest.mark.parametrize("nodes_between", [0, 1], ids=["same-place", "next-place"])
def test_a_login_that_its_client_has_given_up_takes_the_device_from_no_newer_one(
    virtual: VirtualWorld, asked_before: bool, gone: bool, nodes_between: int
) -> None:
    """The store lets the older one wait, before or after it has given the login a number."""
    open_device, gates = virtual.store.open_device, [Gate(), Gate()]

    async def wait_first(*login: object) -> object:
        gate = gates.pop() if gates else None
        if asked_before:
            device = await open_device(*login)
        if gate is not None:
            await gate
        return device if asked_before else await open_device(*login)

    virtual.store.open_device = wait_first
    first, second = gates[1], gates[0]
    older = virtual.connect()
    connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD, device="phone")
    older.write(pb.Command(connect=connect))
    virtual.clock.advance(5_000)
    if gone:
        older.pipe.hang_up()
    for _ in range(nodes_between):
        virtual.connect()
    newer = virtual.connect()
    newer.write(pb.Command(connect=connect))
    virtual.clock.advance(10)
    for gate in (second, first):
        gate.open()
        virtual.clock.settle()
    assert newer.take("conack").status == pb.STATUS_OK
    for _ in range(2):
        assert newer.ping()
        virtual.clock.advance(1_000)
    assert newer.ping()
    assert newer.say("bob", "still here").seq == 1
    assert older.pipe.ended or not older.everything()


def test_the_end_of_the_older_connection_does_not_take_the_newer_one_away(world: World, bob: Client) -> None:
    older = live(world, "alice", "phone")
    newer = live(world, "alice", "phone")
    older.pipe.hang_up()
    bob.say("alice", "still there?")
    assert [text_of(message) for message in newer.messages()] == ["still there?"]


def test_a_login_that_fails_replaces_nobody(world: World) -> None:
    phone = live(world, "alice", "phone")
    assert refusal(world, token="wrong", device="phone")
    assert phone.ping()


def test_the_same_name_in_another_tenant_is_somebody_else(world: World) -> None:
    here = live(world, "alice", "phone")
    org, appkey = OTHER_TENANT
    there = live(world, "alice", "phone", org=org, appkey=appkey)
    assert here.ping()
    assert there.ping()


def test_every_refused_login_costs_one_password_check_of_the_same_cost(virtual: VirtualWorld) -> None:
    checked = []
    verify = virtual.passwords.verify

    async def counting(password_hash: str, password: str) -> bool:
        checked.append(password_hash.split("$")[3])
        return await verify(password_hash, password)

    virtual.passwords.verify = counting  # type: ignore[method-assign]
    change_user(virtual, "dave", state=UserState.DISABLED)
    change_user(virtual, "carol", state=UserState.REMOVED)
    for refused in (
        {"token": "wrong"},
        {"user": "nobody"},
        {"user": "dave"},
        {"user": "carol"},
        {"user": "erin"},
        {"token": "x" * 3000},
        {"token": "a.b.c"},
    ):
        refusal(virtual, **refused)
    assert len(checked) == 7
    assert len(set(checked)) == 1, "the hashes differ in cost"
    refusal(virtual, org="nobody")
    assert len(checked) == 8


def test_an_account_that_changes_while_its_password_is_checked_does_not_slip_in(virtual: VirtualWorld) -> None:
    for changes, code in (
        ({"password_hash": password_hash("another password")}, pb.TOKEN_EXPIRED),
        ({"state": UserState.DISABLED}, pb.KICKED),
    ):
        virtual.passwords.gate = Gate()
        client = virtual.connect()
        connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD)
        client.write(pb.Command(connect=connect), pb.Command(ping=pb.Ping()))
        client.settle()
        change_user(virtual, "alice", **changes)
        virtual.clock.advance(2_000)
        virtual.passwords.gate.open()
        ended_with(client, code)
        assert not [command for command in client.inbox if command.HasField("pong")]
        change_user(virtual, "alice", password_hash=password_hash())
        virtual.clock.advance(2_000)
