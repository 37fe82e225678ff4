"""Connect to who this is, or the one uniform refusal (protocol §3)."""

from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NamedTuple

from rockdove.core.directory import Directory
from rockdove.core.errors import Refusal, invalid
from rockdove.core.ports import Accounts, Auth, Scheduler, Store
from rockdove.core.quota import FailedLogins
from rockdove.core.records import Caller, Device, Tenant, User, UserState
from rockdove.wire import im_pb2 as pb
from rockdove.wire import names

UNIFORM = "the login is not right: check org, appkey, user and password or token"


class Admission(NamedTuple):
    """Who may come in."""

    tenant: Tenant
    user: User
    device: Device | None  # as it was; None for one that is new. If it was kicked since, the admission is void
    client: str  # what the device had called itself
    has_conversations: bool  # whether the user had any; else nothing can be owed to him

    @property
    def kicked_ms(self) -> int:
        """When the device had been kicked last, 0 for never."""
        return self.device.kicked_ms if self.device is not None else 0


Admit = Callable[[pb.Connect, str], Coroutine[Any, Any, Admission | None]]


class Login:
    """Decides who may come in. Holds the counts of this node."""

    def __init__(self, directory: Directory, accounts: Accounts, store: Store, auth: Auth, scheduler: Scheduler) -> None:
        self._directory = directory
        self._accounts = accounts
        self._store = store
        self._auth = auth
        self._scheduler = scheduler
        self._failures = FailedLogins()
        self.accepted = 0  # since the start
        self.refused: Counter[int] = Counter()  # by Code, since the start

    async def recognise(self, connect: pb.Connect, address: str) -> Admission | None:
        """Who is calling, if a token says so, for which nothing has to be hashed; None leaves it to `admit`.

        Raises Refusal as `admit` does, but UNAUTHENTICATED.
        """
        _check_names(connect)
        now_ms = self._scheduler.now_ms()
        self._check_failures(address, (connect.org, connect.appkey, connect.user), now_ms)
        tenant, caller = await self._look_up(connect)
        user, kicked_ms = (caller.user, caller.kicked_ms) if caller is not None else (None, 0)
        if tenant and self._auth.recognises(tenant, connect.user, user, connect.device, kicked_ms, connect.token, now_ms):
            return await self._admission(tenant, connect.user, caller, now_ms)
        return None

    async def admit(self, connect: pb.Connect, address: str) -> Admission:
        """Who is calling.

        Raises Refusal: INVALID_ARGUMENT for illegal names, RESOURCE_EXHAUSTED after too many failed tries, and
        UNAUTHENTICATED for everything else, in the same words and after the same work.
        """
        _check_names(connect)
        now_ms = self._scheduler.now_ms()
        key = (connect.org, connect.appkey, connect.user)
        self._check_failures(address, key, now_ms)
        tenant, caller = await self._look_up(connect)
        user, kicked_ms = (caller.user, caller.kicked_ms) if caller is not None else (None, 0)
        right = await self._auth.check(tenant, connect.user, user, connect.device, kicked_ms, connect.token, now_ms)
        # Others may have failed meanwhile: guesses made at the same time are not more than those made one by one.
        self._check_failures(address, key, now_ms)
        if right and tenant is not None:
            admission = await self._admission(tenant, connect.user, caller, now_ms)
            if admission.user.state == UserState.ACTIVE:
                return admission
        self._failures.failed(address, key, now_ms)
        raise Refusal(pb.UNAUTHENTICATED, UNIFORM)

    async def _look_up(self, connect: pb.Connect) -> tuple[Tenant | None, Caller | None]:
        tenant = await self._directory.tenant(connect.org, connect.appkey)
        # Never from the cache: a password changed, an account disabled, a device kicked a moment ago counts.
        return tenant, await self._store.caller(tenant.id, connect.user, connect.device) if tenant else None

    def _check_failures(self, address: str, user: Hashable, now_ms: int) -> None:
        if self._failures.refuses(address, user, now_ms):
            raise Refusal(pb.RESOURCE_EXHAUSTED, "too many failed logins: try again in a minute")

    async def _admission(self, tenant: Tenant, name: str, caller: Caller | None, now_ms: int) -> Admission:
        if caller is None:
            return Admission(tenant, await self._welcome(tenant, name, now_ms), None, "", has_conversations=False)
        return Admission(tenant, *caller)

    async def _welcome(self, tenant: Tenant, name: str, now_ms: int) -> User:
        """The tenant's own token vouches for somebody new."""
        await self._accounts.add_users(tenant.id, [(name, "")], now_ms)
        user = await self._accounts.user(tenant.id, name)
        assert user is not None
        return user


def _check_names(connect: pb.Connect) -> None:
    if names.are_names(connect.org, connect.appkey, connect.user, connect.device or connect.user):
        return
    for field in ("org", "appkey", "user"):
        if not names.is_name(getattr(connect, field)):
            raise invalid(f"{field} is not a legal name: use {names.RULE}")
    if not names.is_device(connect.device):
        raise invalid(f"device is not a legal name: use {names.RULE}, or leave it empty")
