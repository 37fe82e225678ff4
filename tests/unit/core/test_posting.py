"""Who may write to whom: the permits, asked over a store in memory."""

from asyncio import run
from dataclasses import replace

import pytest

from rockdove.core.errors import Refusal
from rockdove.core.records import (
    Batch,
    Change,
    Contact,
    ContactState,
    Effect,
    Group,
    GroupPolicy,
    Member,
    PutContact,
    PutGroup,
    PutMembers,
    Role,
    Tenant,
)
from rockdove.core.rules.posting import WriteToGroup, WriteToUser
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from rockdove.wire import im_pb2 as pb

TENANT = Tenant(1, "default", "default")
FRIENDS_ONLY = replace(TENANT, strangers=False)
ALICE, BOB = 1, 2


class Given:
    """A rule that has decided already."""

    conversation = 0

    def __init__(self, *effects: Effect) -> None:
        self.effects = effects

    async def decide(self, view, now_ms, msgids):
        return self.effects


def store_with(*effects: Effect) -> MemoryStore:
    accounts = MemoryAccounts()
    run(accounts.add_users(1, [("alice", ""), ("bob", "")], 0))
    store = MemoryStore(accounts)
    batch = Batch()
    batch.changes.append((0, Change(Given(*effects), lambda *_: None)))
    store.commit(batch, lambda _: None)
    return store


def code_of(permit, store: MemoryStore, now_ms: int = 0) -> int:
    try:
        run(permit.check(store, now_ms))
    except Refusal as refusal:
        return refusal.code
    return pb.OK


def test_strangers_may_write_to_each_other_unless_the_tenant_wants_friends_only() -> None:
    store = store_with()
    assert code_of(WriteToUser(TENANT, ALICE, BOB, "bob"), store) == pb.OK
    assert code_of(WriteToUser(FRIENDS_ONLY, ALICE, BOB, "bob"), store) == pb.PERMISSION_DENIED


def test_whoever_a_friend_counts_may_write_where_strangers_may_not() -> None:
    store = store_with(PutContact(Contact(BOB, ALICE, ContactState.FRIEND, version=1)))
    assert code_of(WriteToUser(FRIENDS_ONLY, ALICE, BOB, "bob"), store) == pb.OK


def test_a_block_reads_like_being_strangers() -> None:
    blocked = store_with(PutContact(Contact(BOB, ALICE, ContactState.FRIEND, blocked=True, version=1)))
    with pytest.raises(Refusal) as block:
        run(WriteToUser(TENANT, ALICE, BOB, "bob").check(blocked, 0))
    with pytest.raises(Refusal) as stranger:
        run(WriteToUser(FRIENDS_ONLY, ALICE, BOB, "bob").check(store_with(), 0))
    assert (block.value.code, block.value.reason) == (stranger.value.code, stranger.value.reason)


def test_notes_to_oneself_are_always_permitted() -> None:
    assert code_of(WriteToUser(FRIENDS_ONLY, ALICE, ALICE, "alice"), store_with()) == pb.OK


@pytest.mark.parametrize(
    ("policy", "role", "muted_until_ms", "everyone", "code"),
    [
        (GroupPolicy(), Role.MEMBER, 0, False, pb.OK),
        (GroupPolicy(), Role.MEMBER, 0, True, pb.PERMISSION_DENIED),
        (GroupPolicy(), Role.ADMIN, 0, True, pb.OK),
        (GroupPolicy(only_admins_post=True), Role.MEMBER, 0, False, pb.PERMISSION_DENIED),
        (GroupPolicy(only_admins_post=True), Role.ADMIN, 0, False, pb.OK),
        (GroupPolicy(), Role.MEMBER, 1001, False, pb.PERMISSION_DENIED),
        (GroupPolicy(), Role.MEMBER, 1000, False, pb.OK),
    ],
)
def test_a_member_posts_as_role_and_policy_allow(
    policy: GroupPolicy, role: Role, muted_until_ms: int, everyone: bool, code: int
) -> None:
    group = Group(7, 1, "crew", "Crew", BOB, 0, policy, size=1)
    store = store_with(PutGroup(group), PutMembers.of(Member(7, ALICE, role, 0, 0, muted_until_ms)))
    assert code_of(WriteToGroup(7, ALICE, everyone=everyone), store, 1000) == code


def test_outsiders_may_not_post_and_a_dissolved_group_is_gone() -> None:
    group = Group(7, 1, "crew", "Crew", BOB, 0, size=1)
    assert code_of(WriteToGroup(7, ALICE), store_with(PutGroup(group))) == pb.PERMISSION_DENIED
    member, dissolved = Member(7, ALICE, Role.MEMBER, 0, 0), replace(group, dissolved=True)
    gone = store_with(PutGroup(group), PutMembers.of(member), PutGroup(dissolved))
    assert code_of(WriteToGroup(7, ALICE), gone) == pb.NOT_FOUND
