"""Protocol §7: profiles and devices."""

from collections.abc import Callable
from typing import Any

import pytest

from rockdove.auth import app_token
from rockdove.core.records import Batch, Change, UserState
from rockdove.core.rules.device import KickRule
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import PASSWORD, Client
from tests.protocol.virtual import Gate, VirtualWorld, socket_of
from tests.protocol.world import OTHER_TENANT, World, add_users, change_user, live, tenant_of


def ask(client: Client, **operation: Any) -> pb.Response:
    """Any request about users; its answer."""
    return client.ask(pb.USER, pb.User(**operation).SerializeToString())


def update(client: Client, **fields: Any) -> int:
    return ask(client, update=pb.UserUpdate(**fields)).code


def get(client: Client, *names: str, **fields: Any) -> list[pb.UserInfo]:
    reply = ask(client, get=pb.UserQuery(users=names, **fields))
    assert reply.code == pb.OK, reply
    return list(pb.UserList.FromString(reply.payload).items)


def found(client: Client, prefix: str, **fields: Any) -> list[str]:
    return [info.user for info in get(client, prefix=prefix, **fields)]


def devices(client: Client) -> dict[str, pb.DeviceInfo]:
    reply = ask(client, devices=pb.ListDevices())
    assert reply.code == pb.OK, reply
    return {item.device: item for item in pb.DeviceList.FromString(reply.payload).items}


def kick(client: Client, device: str) -> int:
    return ask(client, kick=pb.DeviceRef(device=device)).code


# ---------------------------------------------------------------- profiles


def test_what_a_user_says_of_himself_others_see(alice: Client, bob: Client) -> None:
    assert update(alice, nickname="Ally 猫", avatar_url="https://example.org/a.png", ext={"city": "Oslo"}) == pb.OK
    expected = pb.UserInfo(user="alice", nickname="Ally 猫", avatar_url="https://example.org/a.png", ext={"city": "Oslo"})
    assert get(bob, "alice") == get(alice, "alice") == [expected]


def test_an_update_leaves_alone_what_it_does_not_name(alice: Client) -> None:
    update(alice, nickname="Ally", avatar_url="https://example.org/a.png", ext={"city": "Oslo", "team": "blue"})
    update(alice, ext={"city": "", "mood": "good"})
    update(alice, nickname="")
    (info,) = get(alice, "alice")
    assert (info.nickname, info.avatar_url, dict(info.ext)) == (
        "",
        "https://example.org/a.png",
        {"team": "blue", "mood": "good"},
    )


def test_unknown_users_are_left_out(world: World, alice: Client) -> None:
    change_user(world, "dave", state=UserState.REMOVED)
    infos = get(alice, "nobody", "carol", "erin", "no name", "dave", "bob", "bob")
    assert sorted(info.user for info in infos) == ["bob", "carol"]
    assert not any(info.nickname or info.avatar_url or info.ext for info in infos)


def test_users_are_found_by_the_beginning_of_their_name_or_nickname(world: World, alice: Client, bob: Client) -> None:
    add_users(world, ["Anton", "anna"])
    update(bob, nickname="Angelo")
    assert found(alice, "an") == ["Anton", "anna", "bob"]
    assert found(alice, "ann") == ["anna"]
    assert found(alice, "an", limit=2) == ["Anton", "anna"]
    assert found(alice, "%") == found(alice, "_") == []


@pytest.mark.parametrize(("limit", "expected"), [(0, 50), (200, 200), (201, 200)])
def test_a_search_finds_50_and_at_most_200(virtual: VirtualWorld, limit: int, expected: int) -> None:
    add_users(virtual, [f"user{n}" for n in range(210)])
    assert len(found(live(virtual, "alice"), "user", limit=limit)) == expected


def test_at_most_200_users_can_be_asked_for_at_once(alice: Client) -> None:
    assert get(alice, *[f"user{n}" for n in range(200)]) == []
    reply = ask(alice, get=pb.UserQuery(users=[f"user{n}" for n in range(201)]))
    assert reply.code == pb.INVALID_ARGUMENT


@pytest.mark.parametrize("query", [pb.UserQuery(), pb.UserQuery(users=["bob"], prefix="b"), pb.UserQuery(prefix="\n")])
def test_a_query_names_users_or_a_prefix(alice: Client, query: pb.UserQuery) -> None:
    assert ask(alice, get=query).code == pb.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "fields",
    [
        {"nickname": "x" * 129},
        {"nickname": "a\x00b"},
        {"avatar_url": "x" * 2049},
        {"ext": {"": "x"}},
        {"ext": {"k" * 65: "x"}},
        {"ext": {"no key": "x"}},
        {"ext": {"k": "ä" * 513}},
        {"ext": {f"k{n}": "x" for n in range(17)}},
    ],
)
def test_a_profile_has_its_limits(alice: Client, fields: dict[str, Any]) -> None:
    update(alice, nickname="Ally", ext={"city": "Oslo"})
    assert update(alice, **fields) == pb.INVALID_ARGUMENT
    assert get(alice, "alice") == [pb.UserInfo(user="alice", nickname="Ally", ext={"city": "Oslo"})]


def test_a_profile_at_its_limits_is_taken(alice: Client) -> None:
    full = {f"k{n}": "x" * 1024 for n in range(16)}
    assert update(alice, nickname="x" * 128, avatar_url="x" * 2048, ext=full) == pb.OK
    assert update(alice, ext={"k0": "", "new": "x"}) == pb.OK
    assert update(alice, ext={"one-more": "x"}) == pb.INVALID_ARGUMENT
    assert len(get(alice, "alice")[0].ext) == 16


def test_profiles_fit_into_a_frame(make_virtual: Callable[..., VirtualWorld]) -> None:
    world = make_virtual(max_frame_bytes=4096)
    for name in ("alice", "bob", "carol"):
        update(live(world, name), nickname="Z", avatar_url="x" * 2000)
    alice = live(world, "alice")
    assert len(get(alice, "alice")) == 1
    assert ask(alice, get=pb.UserQuery(users=["alice", "bob", "carol"])).code == pb.RESOURCE_EXHAUSTED
    assert found(alice, "Z") == ["alice"]


def test_profiles_of_other_tenants_are_not_seen(world: World, alice: Client) -> None:
    org, appkey = OTHER_TENANT
    namesake = live(world, "alice", org=org, appkey=appkey)
    update(namesake, nickname="somebody else")
    assert get(alice, "alice", "erin") == [pb.UserInfo(user="alice")]
    assert found(alice, "somebody") == found(alice, "eri") == []


def test_profiles_outlive_the_server(virtual: VirtualWorld) -> None:
    update(live(virtual, "alice"), nickname="Ally", ext={"city": "Oslo"})
    virtual.crash()
    assert get(live(virtual, "bob"), "alice") == [pb.UserInfo(user="alice", nickname="Ally", ext={"city": "Oslo"})]


@pytest.mark.parametrize("payload", [b"", b"\xff\xff"])
def test_what_is_no_request_is_an_invalid_argument(alice: Client, payload: bytes) -> None:
    assert alice.ask(pb.USER, payload).code == pb.INVALID_ARGUMENT


def test_devices_are_not_woken_yet(alice: Client) -> None:
    assert ask(alice, push=pb.PushTarget(kind=pb.PushTarget.FCM, target="x")).code == pb.UNIMPLEMENTED


# ---------------------------------------------------------------- devices


def test_a_user_sees_his_own_devices_and_which_are_here(virtual: VirtualWorld) -> None:
    phone = live(virtual, "alice", "phone", client="web/1.0")
    live(virtual, "alice", "laptop").pipe.hang_up()
    gone_ms = virtual.clock.now_ms()
    live(virtual, "bob", "tablet")
    virtual.clock.advance(60_000)
    live(virtual, "alice", "")
    seen = devices(phone)
    assert list(seen) == ["", "phone", "laptop"]  # who is here, then by when they were seen
    assert {name: device.online for name, device in seen.items()} == {"phone": True, "": True, "laptop": False}
    assert seen["phone"].client == "web/1.0"
    assert seen["laptop"].last_seen == gone_ms


def test_more_devices_than_fit_are_shown_as_far_as_they_do(make_virtual: Callable[..., VirtualWorld]) -> None:
    world = make_virtual(max_frame_bytes=4096)
    for n in range(80):
        live(world, "alice", f"{n:02}".ljust(64, "d"), client="c" * 128).pipe.hang_up()
        world.clock.advance(1_000)
    seen = devices(live(world, "alice", "phone"))
    assert 10 < len(seen) < 25
    assert list(seen)[:2] == ["phone", "79".ljust(64, "d")]


# ---------------------------------------------------------------- kick


def test_a_kicked_device_is_disconnected_and_comes_back_with_the_password_only(world: World, alice: Client) -> None:
    laptop = world.connect()
    resume = laptop.login("alice", device="laptop").resume_token
    assert kick(alice, "laptop") == pb.OK
    farewell = laptop.farewell()
    assert farewell is not None
    assert farewell.code == pb.KICKED
    assert world.connect().login("alice", resume, "laptop").status == pb.STATUS_FAIL
    again = world.connect().login("alice", device="laptop")
    assert again.status == pb.STATUS_OK
    assert world.connect().login("alice", again.resume_token, "laptop").status == pb.STATUS_OK
    assert alice.ping()  # nobody else is concerned


def test_other_devices_and_users_keep_their_tokens(world: World, alice: Client, bob: Client) -> None:
    laptop = world.connect()
    resume = laptop.login("alice", device="laptop").resume_token
    of_bob = world.connect().login("bob", device="laptop").resume_token
    live(world, "alice", "tablet")
    kick(alice, "tablet")
    assert laptop.ping()
    assert world.connect().login("alice", resume, "laptop").status == pb.STATUS_OK
    kick(alice, "laptop")
    assert world.connect().login("bob", of_bob, "laptop").status == pb.STATUS_OK


def test_a_device_that_is_away_can_be_kicked(world: World, alice: Client) -> None:
    laptop = world.connect()
    resume = laptop.login("alice", device="laptop").resume_token
    laptop.pipe.hang_up()
    assert kick(alice, "laptop") == pb.OK
    assert world.connect().login("alice", resume, "laptop").status == pb.STATUS_FAIL


def test_a_device_that_kicks_itself_is_answered_first(alice: Client) -> None:
    assert kick(alice, "phone") == pb.OK
    farewell = alice.farewell()
    assert farewell is not None
    assert farewell.code == pb.KICKED


def test_a_kick_outlives_the_server(virtual: VirtualWorld) -> None:
    resume = virtual.connect().login("alice", device="laptop").resume_token
    kick(live(virtual, "alice"), "laptop")
    virtual.crash()
    assert virtual.connect().login("alice", resume, "laptop").status == pb.STATUS_FAIL


def test_app_tokens_made_before_the_kick_are_dead_for_the_device_and_later_ones_are_good(virtual: VirtualWorld) -> None:
    def token() -> str:
        now = virtual.clock.now_ms() // 1000
        return app_token.sign(tenant_of(virtual), "alice", now, now + 3_600)

    early, alice = token(), live(virtual, "alice")
    live(virtual, "alice", "laptop")
    virtual.clock.advance(5_000)
    assert virtual.connect().login("alice", early, "laptop").status == pb.STATUS_OK
    kick(alice, "laptop")
    assert virtual.connect().login("alice", early, "laptop").status == pb.STATUS_FAIL
    assert virtual.connect().login("alice", early, "tablet").status == pb.STATUS_OK
    virtual.clock.advance(1_000)
    assert virtual.connect().login("alice", token(), "laptop").status == pb.STATUS_OK


def test_a_device_that_is_kicked_while_it_logs_in_does_not_come_in(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    live(virtual, "alice", "laptop").pipe.hang_up()
    virtual.passwords.gate = gate = Gate()
    laptop = virtual.connect()
    connect = pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD, device="laptop")
    laptop.write(pb.Command(version=1, connect=connect))
    assert kick(alice, "laptop") == pb.OK
    gate.open()
    farewell = laptop.farewell()
    assert farewell is not None
    assert farewell.code == pb.KICKED
    assert socket_of(laptop).ended
    assert not any(command.HasField("conack") for command in laptop.inbox)
    virtual.passwords.gate = None
    live(virtual, "alice", "laptop")


def test_a_token_given_between_two_kicks_of_the_same_moment_is_dead(virtual: VirtualWorld) -> None:
    alice = live(virtual, "alice")
    live(virtual, "alice", "laptop")
    kick(alice, "laptop")
    between = virtual.connect().login("alice", device="laptop").resume_token
    kick(alice, "laptop")
    assert virtual.connect().login("alice", between, "laptop").status == pb.STATUS_FAIL


def test_a_kick_that_was_stored_unnoticed_is_noticed_when_the_account_is_looked_at(virtual: VirtualWorld) -> None:
    live(virtual, "alice")
    laptop = live(virtual, "alice", "laptop")
    session = socket_of(laptop).session
    batch = Batch()
    batch.changes.append((0, Change(KickRule(session.user, "laptop"), lambda change, error: None)))
    virtual.store.commit(batch, lambda error: None)
    virtual.do(virtual.node.standing.recheck(session))
    farewell = laptop.farewell()
    assert farewell is not None
    assert farewell.code == pb.KICKED


def test_only_ones_own_devices_can_be_kicked(world: World, alice: Client, bob: Client) -> None:
    live(world, "bob", "laptop")
    assert kick(alice, "laptop") == kick(alice, "") == pb.NOT_FOUND
    assert kick(alice, "no name") == pb.INVALID_ARGUMENT
    assert bob.ping()
