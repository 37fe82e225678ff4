"""Friends, blocks, presence, profiles and devices, with the SDK and a real server."""

import pytest

from rockdove.client import (
    ContactChanged,
    ContactState,
    Disconnected,
    Here,
    MessageReceived,
    PresenceChanged,
    Profile,
    Refused,
)
from rockdove.wire import im_pb2 as pb
from tests.client.conftest import MakeClient
from tests.client.test_sdk import next_of, run


def test_two_people_become_friends_and_part(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob:
            await alice.contacts.add("bob", greeting="hi, it's me", remark="Bobby")
            invited = (await next_of(bob, ContactChanged)).contact
            assert (invited.user, invited.state, invited.greeting) == ("alice", ContactState.INVITED, "hi, it's me")
            assert (await next_of(alice, ContactChanged)).contact.state == ContactState.REQUESTED
            before = await alice.contacts.list()
            assert [(each.user, each.state, each.remark) for each in before.contacts] == [
                ("bob", ContactState.REQUESTED, "Bobby")
            ]
            await bob.contacts.accept("alice")
            assert (await next_of(alice, ContactChanged)).contact.state == ContactState.FRIEND
            since = await alice.contacts.list(before.version)
            assert [(each.user, each.state) for each in since.contacts] == [("bob", ContactState.FRIEND)]
            assert (await alice.contacts.list(since.version)).contacts == ()
            await bob.contacts.remove("alice")
            assert (await next_of(alice, ContactChanged)).contact.state == ContactState.NONE
            assert [each.state for each in (await alice.contacts.list(since.version)).contacts] == [ContactState.NONE]
            assert (await alice.contacts.list()).contacts == ()

    run(scenario())


def test_a_blocked_user_reaches_nobody_until_he_is_unblocked(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob:
            await alice.send("bob", "before")
            await bob.contacts.block("alice")
            assert [each.state for each in (await bob.contacts.list()).contacts] == [ContactState.BLOCKED]
            with pytest.raises(Refused) as refused:
                await alice.send("bob", "let me explain")
            assert refused.value.code == pb.PERMISSION_DENIED
            assert "block" not in refused.value.reason
            await alice.contacts.add("bob")  # a block is not betrayed
            await bob.contacts.unblock("alice")
            await alice.send("bob", "after")
            texts = [(await next_of(bob, MessageReceived)).message.text for _ in range(2)]
            assert texts == ["before", "after"]

    run(scenario())


def test_friends_see_each_other_come_and_go(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice:
            async with client_of("bob") as bob:
                await alice.contacts.add("bob")
                await bob.contacts.accept("alice")
                await bob.presence.set(Here.AWAY, "lunch")
                while (status := (await next_of(alice, PresenceChanged)).status).here != Here.AWAY:
                    pass
                assert (status.user, status.text) == ("bob", "lunch")
                (status,) = await alice.presence.query(["bob"])
                assert (status.here, status.text) == (Here.AWAY, "lunch")
            while (status := (await next_of(alice, PresenceChanged)).status).here != Here.OFFLINE:
                pass
            (status,) = await alice.presence.query(["bob"])
            assert status.here == Here.OFFLINE
            assert status.last_seen_ms > 0

    run(scenario())


def test_people_are_found_by_what_they_call_themselves(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as alice, client_of("bob") as bob:
            await bob.users.update(nickname="Robert", avatar_url="https://example.com/b.png", ext={"team": "red", "room": "7"})
            await bob.users.update(ext={"room": ""})
            robert = Profile("bob", "Robert", "https://example.com/b.png", {"team": "red"})
            assert await alice.users.get(["bob", "nobody"]) == [robert]
            assert await alice.users.find("rob") == [robert]
            assert [profile.user for profile in await alice.users.find("bo")] == ["bob"]

    run(scenario())


def test_a_device_is_logged_out_from_another_one(client_of: MakeClient) -> None:
    async def scenario() -> None:
        async with client_of("alice") as phone, client_of("alice", device="tablet") as tablet:
            listed = {each.device: each.online for each in await phone.devices.list()}
            assert listed == {"phone": True, "tablet": True}
            await phone.devices.kick("tablet")
            with pytest.raises(Disconnected) as end:
                async for _ in tablet.events():
                    pass
            assert end.value.code == pb.KICKED
            assert {each.device: each.online for each in await phone.devices.list()}["tablet"] is False

    run(scenario())
