"""May those who are here still be here? Accounts, devices and tenants change while sessions last."""

from rockdove.core.directory import Directory
from rockdove.core.empty import EMPTY
from rockdove.core.errors import REPLACED, StoreUnavailable
from rockdove.core.holding import Holding
from rockdove.core.ports import Accounts, Scheduler, Store
from rockdove.core.records import AccountChanges, UserState
from rockdove.core.registry import Registry
from rockdove.core.session import Session
from rockdove.wire import im_pb2 as pb


class Standing:
    """Follows what other sessions, nodes and the command line change."""

    def __init__(
        self,
        accounts: Accounts,
        store: Store,
        directory: Directory,
        registry: Registry,
        holding: Holding,
        scheduler: Scheduler,
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._directory = directory
        self._registry = registry
        self._holding = holding
        self._scheduler = scheduler
        self._position = -1
        self.changes = 0  # how often changes were found, since the start

    async def recheck_since(self, changes: int, session: Session) -> None:
        """A session whose account was looked up, before it was opened, as of so many `changes`. Raises StoreUnavailable.

        What is found later is applied to it as to all that are here. Of the device all is known from when it was opened, unless
        other nodes may change it.
        """
        if self._store.shared or changes != self.changes:
            await self.recheck(session)

    async def recheck(self, session: Session) -> None:
        """End the session if its user or device may no longer be here. Raises StoreUnavailable."""
        user = await self._accounts.user_by_id(session.user)
        if user is None or user.state != UserState.ACTIVE:
            session.end(pb.KICKED, "an administrator ended this account's sessions")
        elif user.credential_version != session.credential_version:
            session.end(pb.TOKEN_EXPIRED, "the password was changed: log in again")
        else:
            await self.recheck_device(session)

    async def recheck_device(self, session: Session) -> None:
        """End the session if its device may no longer be here, or is somewhere else. Raises StoreUnavailable."""
        device = await self._store.device(session.user, session.device_name)
        if device is None or device.kicked_ms != session.kicked_ms:
            session.end(pb.KICKED, "this device was signed out by another device of the user")
        elif device.login != session.login and await self._holding.is_lost(session, device, session.login):
            session.end(pb.REPLACED, REPLACED)

    async def follow(self) -> None:
        """Apply what has changed since the last call; do this about every second."""
        try:
            changes = await self._accounts.changes(self._position)
            if self._position != changes.position:
                self.changes += 1
            if self._position >= 0 and (changes.tenants or changes.users):
                await self._apply(changes)
        except StoreUnavailable:
            return  # the next call does it
        self._position = changes.position  # not earlier: what fails is done again

    async def _apply(self, changes: AccountChanges) -> None:
        self._directory.forget()
        for session in self._registry:
            session.routes = EMPTY
            if session.user in changes.users:
                await self.recheck(session)
        if changes.tenants:
            tenants = {tenant.id: tenant for tenant in await self._accounts.tenants()}
            for session in self._registry:
                if session.tenant.id in changes.tenants and session.tenant.id in tenants:
                    session.use_settings_of(tenants[session.tenant.id], self._scheduler.now_ms())
