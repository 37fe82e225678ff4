"""A server and its clients, as a test sees them."""

from collections.abc import Coroutine, Iterable
from dataclasses import replace
from functools import cache
from typing import Any, Protocol

from rockdove.auth.password import hash_password
from rockdove.core.node import Node
from rockdove.core.ports import Accounts
from rockdove.core.records import Tenant
from rockdove.wire import im_pb2 as pb
from tests.protocol.client import PASSWORD, Client

USERS = ("alice", "bob", "carol", "dave")
OTHER_TENANT = ("acme", "chat")  # org and appkey; has an alice and an erin of its own


@cache
def password_hash(password: str = PASSWORD) -> str:
    """The cheapest hash."""
    return hash_password(password, "light")


async def add_accounts(accounts: Accounts) -> None:
    """What every world begins with."""
    tenant = await accounts.tenant("default", "default")
    assert tenant is not None
    await accounts.set_tenant(replace(tenant, password_cost="light"))
    await accounts.add_users(tenant.id, [(name, password_hash()) for name in USERS], 0)
    org, appkey = OTHER_TENANT
    other = await accounts.add_tenant(Tenant(0, org, appkey, password_cost="light", token_secret=b"x" * 32))
    assert other is not None
    await accounts.add_users(other.id, [(name, password_hash()) for name in ("alice", "erin")], 0)


class World(Protocol):
    """Either one: with real sockets and threads, or with virtual ones and virtual time."""

    node: Node
    accounts: Accounts

    def connect(self, address: str = "192.0.2.1") -> Client:
        """A new connection; a real one comes from where it comes from."""

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` where the server runs; its result."""


def live(world: World, user: str, device: str = "", **fields: Any) -> Client:
    """A client that has logged in."""
    client = world.connect()
    answer = client.login(user, device=device, **fields)
    assert answer.status == pb.STATUS_OK, answer
    return client


def tenant_of(world: World, org: str = "default", appkey: str = "default") -> Tenant:
    """A tenant as it is now."""
    tenant: Tenant = world.do(world.accounts.tenant(org, appkey))
    return tenant


def change_tenant(world: World, **settings: Any) -> None:
    """Change the default tenant's settings; a server that knows it already notices within a second."""
    world.do(world.accounts.set_tenant(replace(tenant_of(world), **settings)))


def add_users(world: World, names: Iterable[str]) -> None:
    """More users of the default tenant, with PASSWORD."""
    world.do(world.accounts.add_users(tenant_of(world).id, [(name, password_hash()) for name in names], 0))


def change_user(world: World, name: str, **changes: Any) -> None:
    """Change a user of the default tenant."""
    user = world.do(world.accounts.user(tenant_of(world).id, name))
    world.do(world.accounts.set_user(user.id, **changes))
