"""Profiles, devices, presence: what is asked for, and what becomes of the answers."""

from rockdove.client import Device, Group, Here, Profile, Status
from rockdove.client.devices import Devices
from rockdove.client.errors import Disconnected
from rockdove.client.presence import Presence
from rockdove.client.users import Users
from rockdove.wire import im_pb2 as pb
from tests.unit.client.asked import Asked, run


def test_profiles_are_read_searched_and_changed() -> None:
    alice = pb.UserList(items=[pb.UserInfo(user="alice", nickname="Alice", avatar_url="u", ext={"team": "red"})])
    asked = Asked(alice, alice)
    profile = Profile("alice", "Alice", "u", {"team": "red"})
    assert run(Users(asked).get(["alice", "nobody"])) == [profile]
    assert run(Users(asked).find("al", limit=7)) == [profile]
    run(Users(asked).update(nickname="", ext={"team": ""}))
    assert asked.payloads == [
        pb.User(get=pb.UserQuery(users=["alice", "nobody"])),
        pb.User(get=pb.UserQuery(prefix="al", limit=7)),
        pb.User(update=pb.UserUpdate(nickname="", ext={"team": ""})),
    ]


def test_more_users_than_one_request_takes_are_several_requests() -> None:
    names = [f"user{number}" for number in range(401)]
    asked = Asked()
    run(Users(asked).get(names))
    assert [len(payload.get.users) for payload in asked.payloads] == [200, 200, 1]
    asked = Asked()
    run(Presence(asked, print).query(names))
    assert [name for payload in asked.payloads for name in payload.query.users] == names


def test_devices_are_listed_and_ended() -> None:
    asked = Asked(pb.DeviceList(items=[pb.DeviceInfo(device="phone", client="app", online=True, last_seen=5)]))
    assert run(Devices(asked).list()) == [Device("phone", "app", online=True, last_seen_ms=5)]
    run(Devices(asked).kick("phone"))
    assert asked.payloads[1] == pb.User(kick=pb.DeviceRef(device="phone"))


def test_presence_is_published_kept_and_asked_for() -> None:
    kept: list[pb.Presence] = []
    asked = Asked()
    run(Presence(asked, kept.append).set(Here.AWAY, "lunch"))
    assert asked.payloads == kept == [pb.Presence(publish=pb.Presence.Publish(state=pb.Presence.AWAY, text="lunch"))]
    bob = pb.PresenceList(items=[pb.PresenceState(user="bob", state=pb.Presence.ONLINE, last_seen=5, text="hi")])
    assert run(Presence(Asked(bob), kept.append).query(["bob"])) == [Status("bob", Here.ONLINE, 5, "hi")]


def test_typing_is_told_to_the_conversation_and_only_while_there_is_a_connection() -> None:
    asked = Asked()
    run(Presence(asked, print).typing(Group("team")))
    publish = pb.Presence.Publish(state=pb.Presence.TYPING, chat=pb.GROUP_CHAT, peer="team")
    assert asked.payloads == [pb.Presence(publish=publish)]

    async def away(payload: object, *, again: bool = True) -> bytes:
        assert not again
        raise Disconnected(None, "not connected")

    run(Presence(away, print).typing("bob"))
