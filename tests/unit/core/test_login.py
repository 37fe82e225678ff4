"""Who may come in, and how everybody else is refused."""

from asyncio import run

import pytest

from rockdove.core.directory import Directory
from rockdove.core.errors import Refusal
from rockdove.core.login import UNIFORM, Admission, Login
from rockdove.core.records import Caller, Device, Tenant, User, UserState
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.wire import im_pb2 as pb


class Clock:
    """Only the time of a `Scheduler`."""

    def now_ms(self) -> int:
        return 0


class Auth:
    """Lets in whoever says "right", and notes who was checked."""

    def __init__(self) -> None:
        self.checked: list[tuple[Tenant | None, str, User | None]] = []
        self.kicked: list[int] = []

    async def check(
        self, tenant: Tenant | None, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        self.checked.append((tenant, name, user))
        self.kicked.append(kicked_ms)
        return token == "right"


@pytest.fixture
def accounts() -> MemoryAccounts:
    accounts = MemoryAccounts()
    run(accounts.add_users(1, [("alice", "")], 0))
    return accounts


@pytest.fixture
def auth() -> Auth:
    return Auth()


class Callers:
    """Of a `Store` only what it says of those who log in."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._accounts = accounts
        self.kicked = {(1, "phone"): 7_000}

    async def caller(self, tenant: int, user: str, device: str) -> Caller | None:
        account = await self._accounts.user(tenant, user)
        if account is None:
            return None
        kicked_ms = self.kicked.get((account.id, device))
        return Caller(account, None if kicked_ms is None else Device(1, 0, kicked_ms), "", has_conversations=False)


@pytest.fixture
def callers(accounts: MemoryAccounts) -> Callers:
    return Callers(accounts)


@pytest.fixture
def login(accounts: MemoryAccounts, callers: Callers, auth: Auth) -> Login:
    return Login(Directory(accounts, callers), accounts, callers, auth, Clock())  # type: ignore[arg-type]


def admit(login: Login, user: str = "alice", token: str = "right", org: str = "default", **fields: str) -> Admission:
    connect = pb.Connect(org=org, appkey="default", user=user, token=token, **fields)
    return run(login.admit(connect, "192.0.2.1"))


def refusal(login: Login, **fields: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        admit(login, **fields)
    return caught.value


def test_the_right_token_lets_in(login: Login) -> None:
    admission = admit(login, device="phone")
    assert (admission.tenant.id, admission.user.name, admission.device) == (1, "alice", Device(1, 0, 7_000))


def test_somebody_new_whom_the_token_vouches_for_is_made(login: Login, accounts: MemoryAccounts) -> None:
    admission = admit(login, user="newcomer")
    assert run(accounts.user(1, "newcomer")) == admission.user


def test_unknown_tenants_and_users_are_checked_all_the_same(login: Login, auth: Auth) -> None:
    for fields in ({"user": "nobody"}, {"org": "nobody"}, {}):
        answer = refusal(login, token="wrong", **fields)
        assert (answer.code, answer.reason) == (pb.UNAUTHENTICATED, UNIFORM)
    assert [(tenant and tenant.id, user and user.name) for tenant, _, user in auth.checked] == [
        (1, None),
        (None, None),
        (1, "alice"),
    ]


@pytest.mark.parametrize("state", [UserState.DISABLED, UserState.REMOVED])
def test_a_right_token_does_not_help_somebody_who_was_put_out(login: Login, accounts: MemoryAccounts, state: UserState) -> None:
    run(accounts.set_user(1, state=state))
    assert refusal(login).code == pb.UNAUTHENTICATED


def test_an_account_changed_a_moment_ago_is_seen_at_once(login: Login, accounts: MemoryAccounts) -> None:
    admit(login)
    run(accounts.set_user(1, state=UserState.DISABLED))
    assert refusal(login).code == pb.UNAUTHENTICATED


def test_the_check_knows_when_the_device_was_kicked_last(login: Login, auth: Auth, callers: Callers) -> None:
    assert admit(login, device="phone").kicked_ms == 7_000
    assert admit(login, device="laptop").kicked_ms == 0
    callers.kicked[1, "phone"] = 8_000
    assert admit(login, device="phone").kicked_ms == 8_000
    assert auth.kicked == [7_000, 0, 8_000]


def test_illegal_names_are_not_even_looked_up_and_count_as_no_failure(login: Login, auth: Auth) -> None:
    for _ in range(200):
        assert refusal(login, user="no name").code == pb.INVALID_ARGUMENT
        assert refusal(login, device="\n").code == pb.INVALID_ARGUMENT
    assert auth.checked == []
    admit(login)


def test_after_too_many_failures_nothing_is_checked(login: Login, auth: Auth) -> None:
    codes = [refusal(login, token="wrong").code for _ in range(15)]
    assert codes == [pb.UNAUTHENTICATED] * 10 + [pb.RESOURCE_EXHAUSTED] * 5
    assert refusal(login).code == pb.RESOURCE_EXHAUSTED
    assert len(auth.checked) == 10
