"""Who may reach whom (protocol §7)."""

import pytest

from rockdove.core.errors import Refusal
from rockdove.core.policy import may_write
from rockdove.core.records import Tenant, User, UserState
from rockdove.wire import im_pb2 as pb

OPEN = Tenant(1, "default", "default")
CLOSED = Tenant(1, "default", "default", strangers=False)


def bob(state: UserState = UserState.ACTIVE) -> User:
    return User(2, 1, "bob", state)


@pytest.mark.parametrize("state", [UserState.ACTIVE, UserState.DISABLED])
def test_somebody_who_is_there_or_will_be_back_may_be_written_to(state: UserState) -> None:
    assert may_write(OPEN, 1, "bob", bob(state)) == 2


@pytest.mark.parametrize("receiver", [None, bob(UserState.REMOVED)])
@pytest.mark.parametrize("tenant", [OPEN, CLOSED])
def test_somebody_unknown_or_removed_is_not_found(tenant: Tenant, receiver: User | None) -> None:
    with pytest.raises(Refusal, match="bob") as caught:
        may_write(tenant, 1, "bob", receiver)
    assert caught.value.code == pb.NOT_FOUND


def test_strangers_may_not_write_where_only_friends_may() -> None:
    with pytest.raises(Refusal, match="bob") as caught:
        may_write(CLOSED, 1, "bob", bob())
    assert caught.value.code == pb.PERMISSION_DENIED


def test_everybody_may_write_notes_to_oneself() -> None:
    assert may_write(CLOSED, 2, "bob", bob()) == 2
