"""One node: the parts of the core put together."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final

from rockdove.core.deadlines import SLOT_MS, Deadlines
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.delivery.ring import Ring
from rockdove.core.delivery.typing import TypingNews
from rockdove.core.directory import Directory
from rockdove.core.dispatch import Dispatch, Service
from rockdove.core.errors import REPLACED, Refusal, StoreUnavailable
from rockdove.core.hearing import Hearing
from rockdove.core.indexing import Indexing
from rockdove.core.lanes import Lanes
from rockdove.core.login import Login
from rockdove.core.login_queue import LoginQueue
from rockdove.core.msgid import MsgidSource
from rockdove.core.neighbours import BEAT_MS, Neighbours
from rockdove.core.ports import Accounts, Auth, Bus, Link, Log, Nodes, Randomness, Scheduler, Store
from rockdove.core.records import (
    GROUPS_END,
    AccountChanges,
    Change,
    Device,
    Draft,
    NodeState,
    NodeStatus,
    Outcome,
    Tenant,
    User,
    UserState,
)
from rockdove.core.registry import Inbox, Registry
from rockdove.core.retention import Retention
from rockdove.core.services.contact import ContactService
from rockdove.core.services.group import GroupService
from rockdove.core.services.message import MessageService
from rockdove.core.services.presence import PresenceService
from rockdove.core.services.receipt import ReceiptService
from rockdove.core.services.sync import SyncService
from rockdove.core.services.user import UserService
from rockdove.core.session import Session
from rockdove.core.settings import Settings
from rockdove.core.topics import NODES, node_topic
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

ACCOUNTS_MS: Final = 1_000  # how soon an account changed by another process is noticed
ALONE: Final = NodeState(0, "", "", 0)


class Node:
    """Holds sessions and serves them. Everything from outside comes in through the ports."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        accounts: Accounts,
        auth: Auth,
        scheduler: Scheduler,
        randomness: Randomness,
        log: Log,
        nodes: Nodes | None = None,
        bus: Bus | None = None,
        introduction: NodeState = ALONE,
    ) -> None:
        """`nodes` are those that share the store, and `bus` is between them; `introduction` is what this one says of itself."""
        self.settings = settings
        self.store = store
        self.scheduler = scheduler
        self.log = log
        self._accounts = accounts
        self._auth = auth
        self._randomness = randomness
        self._directory = Directory(accounts, store)
        self._indexing = Indexing(store, lambda: self.commit.stored, log)
        self._retention = Retention(store, settings.device_expiry_ms, log)
        self._accounts_position = -1
        self._rereading: set[int] = set()  # groups
        self._behind: dict[Session, None] = {}  # that may have missed rings, and have not looked since
        self._catching_up = False
        self._introduction = introduction
        self._bus = bus
        self.draining = False
        self.neighbours = Neighbours(nodes, bus, self._describe, log)
        self._msgids = MsgidSource(self.neighbours.number, store.last_msgid)
        self._ring = Ring(bus, scheduler) if bus is not None else None
        self.registry = Registry()
        self.arrivals: set[Session] = set()  # connections that have not logged in
        self.deadlines = Deadlines()
        self.commit = Lanes(store, scheduler, self._msgids, log)
        self.fanout = Fanout(self.registry, self._ring)
        self.presence = PresenceNews(store, self.registry, self.fanout, scheduler, self._ring, self.neighbours)
        self.message = MessageService(store, self._directory, self.fanout, self._msgids, scheduler, settings.max_frame_bytes)
        self.dispatch = self._assemble()
        self.logins = LoginQueue(settings.logins_at_once, settings.logins_waiting, scheduler)
        self.login = Login(self._directory, accounts, store, auth, scheduler)
        self.commit.report_to(self._stored, self._changed, _refused, self.fanout.delivered)

    def _assemble(self) -> Dispatch:
        """The services, by what they serve."""
        store, directory, registry, fanout = self.store, self._directory, self.registry, self.fanout
        frame_bytes = self.settings.max_frame_bytes
        presence = self.presence
        registry.on_change = presence.note
        typing = TypingNews(registry, fanout, self.scheduler, self._ring)
        if self._bus is not None:
            self._join(self._bus, Hearing(registry, fanout, presence, typing, self.scheduler, self.log))
        services: dict[int, Service] = {
            pb.CONTACT: ContactService(store, directory, registry, fanout, presence, frame_bytes),
            pb.GROUP: GroupService(
                store,
                self._accounts,
                directory,
                fanout,
                self.scheduler,
                self._randomness,
                self.settings.group_max_members,
                frame_bytes,
            ),
            pb.SYNC: SyncService(store, directory, fanout, frame_bytes),
            pb.RECEIPT: ReceiptService(directory, fanout),
            pb.PRESENCE: PresenceService(store, directory, presence, typing, self.scheduler),
            pb.USER: UserService(store, self._accounts, registry, fanout, self.neighbours, frame_bytes),
        }
        return Dispatch(self.message, services, self.log)

    def _join(self, bus: Bus, hearing: Hearing) -> None:
        """Listen to other nodes."""
        bus.listen(hearing.ring, hearing.question, self._look_everywhere)
        self.registry.on_interest = lambda topic, wanted: bus.attend(topic) if wanted else bus.leave(topic)
        self.fanout.on_unknown = self._reread_group
        self.fanout.on_joined = lambda user, conversation: self.scheduler.spawn(self._attend_group(user, conversation))
        self.neighbours.on_gone = self.presence.node_gone
        bus.attend(NODES)
        self._attend_own_topic()

    def _attend_own_topic(self) -> None:
        if self._bus is not None:
            self._bus.attend(node_topic(self.neighbours.number))

    def _look_everywhere(self) -> None:
        """Rings may have been missed: what they were about is in the store."""
        self._behind.update(dict.fromkeys(self.registry))
        self.presence.announce()
        if not self._catching_up:
            self._catching_up = True
            self.scheduler.spawn(self._catch_up())

    async def _catch_up(self) -> None:
        """One session after the other, so that new messages are not kept waiting."""
        try:
            while self._behind:
                session, _ = self._behind.popitem()
                if session.live:
                    await session.look()
        finally:
            self._catching_up = False

    def start(self) -> None:
        """Begin with what is done regularly."""
        self._sweep()
        self._watch_accounts()
        self._retain()
        self._index()
        if self.store.shared:
            self._beat()

    def connect(self, link: Link, address: str) -> Session:
        """A connection was made; `address` is where it comes from, without the port."""
        session = Session(self, link, address, self.scheduler.now_ms())
        self.arrivals.add(session)
        return session

    def drain(self) -> None:
        """Tell every client that the server stops; what was taken is finished first."""
        for session in (*self.registry, *self.arrivals):
            session.end(pb.SERVER_SHUTDOWN, "the server stops: reconnect after a random pause")
        self.commit.write_cursors()

    async def open_device(self, user: int, name: str, client: str, now_ms: int) -> Device:
        """The device as it logs in here; where it was on another node, it has ended there. Raises StoreUnavailable."""
        number = self.neighbours.number
        while True:
            device = await self.store.open_device(user, name, client, now_ms, number)
            if device.holder in (0, number):
                return device
            # What the older session stores while it ends is to be known, too: look again.
            await self.neighbours.replace(device.holder, user, name, device.login)

    # -- groups

    async def seat(self, inbox: Inbox) -> None:
        """Find the groups of a user who has just come, so that he gets what is said in them."""
        while not inbox.seated:
            seatings = inbox.seatings
            groups = await self.store.groups_of(inbox.user)
            if seatings == inbox.seatings:  # else he came into one, or went, while the store was read
                for conversation in self.registry.seat(inbox, groups):
                    self.fanout.look_again(inbox.user, conversation)

    async def seat_for(self, inbox: Inbox, owed: Sequence[int]) -> None:
        """He is owed something in these conversations: if he seems not to be in such a group, we have missed that he came."""
        if self.store.shared and any(group < GROUPS_END and group not in inbox.groups for group in owed):
            inbox.seated = False
            await self.seat(inbox)

    async def attended(self) -> None:
        """From here on nothing is missed that is rung for those who are here: what was stored before is in the store."""
        if self._bus is not None:
            await self._bus.settled()

    async def _attend_group(self, user: int, conversation: int) -> None:
        """What was rung before we attended is read."""
        await self.attended()
        for session in self.registry.sessions(user):
            session.outbound.owe(conversation)

    def _reread_group(self, conversation: int) -> None:
        if conversation not in self._rereading:
            self._rereading.add(conversation)
            self.scheduler.spawn(self._reread(conversation))

    async def _reread(self, conversation: int) -> None:
        """News of a group were missed, or are late: who of those who are here is in it?"""
        try:
            group = await self.store.group(conversation)
            assert group is not None
            for inbox in list(self.registry.group(conversation)):
                if await self.store.member(conversation, inbox.user) is None:
                    self.registry.parted(inbox.user, conversation)
            self.registry.reread(conversation, group.version)
        except StoreUnavailable:
            pass  # the next message of the group tries again
        finally:
            self._rereading.discard(conversation)

    # -- accounts and devices

    async def recheck(self, session: Session) -> None:
        """End the session if its user or device may no longer be here."""
        user = await self._accounts.user_by_id(session.user)
        device = await self.store.device(session.user, session.device_name)
        if user is None or device is None or user.state != UserState.ACTIVE:
            session.end(pb.KICKED, "an administrator ended this account's sessions")
        elif user.credential_version != session.credential_version:
            session.end(pb.TOKEN_EXPIRED, "the password was changed: log in again")
        elif device.kicked_ms != session.kicked_ms:
            session.end(pb.KICKED, "this device was signed out by another device of the user")
        elif device.login != session.login:
            session.end(pb.REPLACED, REPLACED)

    def welcome(self, tenant: Tenant, user: User, device_name: str, device: Device, now_ms: int) -> bytes:
        """The frame that answers a login (protocol §3)."""
        token, expires_at = self._auth.resume_token(tenant, user, device_name, device.kicked_ms, now_ms)
        ack = pb.ConAck(
            status=pb.STATUS_OK,
            session=self._randomness.token(),
            server_time=now_ms,
            heartbeat_seconds=self.settings.heartbeat_seconds,
            max_frame_bytes=self.settings.max_frame_bytes,
            window=self.settings.window,
            resume_token=token,
            resume_expires_at=expires_at,
            epoch=self.store.epoch,
            last_seqid=device.last_seqid,
        )
        return codec.frame(pb.Command(version=1, conack=ack))

    # -- the way back from the store

    def _stored(self, draft: Draft, now_ms: int) -> None:
        if draft.refusal is not None:
            self._report(draft.refusal)
        draft.origin.committed(draft)
        if draft.outcome is Outcome.STORED:
            self.fanout.message(draft, now_ms)

    def _changed(self, change: Change, now_ms: int) -> None:
        if change.refusal is None:
            self.fanout.change(change, now_ms)
        elif change.draft is None:
            self._report(change.refusal)
        if change.draft is not None:
            self._stored(change.draft, now_ms)
        change.done(change, None)

    def _report(self, refusal: Refusal) -> None:
        """A rule or permit that did not refuse, but failed."""
        if refusal.__cause__ is not None:
            self.log.error("decision_failed", error=repr(refusal.__cause__))

    # -- regularly

    def _sweep(self) -> None:
        self.scheduler.later(SLOT_MS, self._sweep)
        self.deadlines.run(self.scheduler.now_ms())

    def _describe(self) -> NodeState:
        """How this node is."""
        return replace(
            self._introduction,
            number=self.neighbours.number,
            status=NodeStatus.DRAINING if self.draining else NodeStatus.READY,
            connections=len(self.registry),
            bus_connected=self._bus is not None and self._bus.connected,
        )

    def _beat(self) -> None:
        self._repeat(self._live_on(), lambda: BEAT_MS, self._beat)

    async def _live_on(self) -> None:
        """Say that this node is alive. One that was taken for dead has another number afterwards."""
        before = self.neighbours.number
        await self.neighbours.beat()
        if self.neighbours.number != before:
            self._msgids.move_to(self.neighbours.number)
            self.log.warning("node_renumbered", before=before, now=self.neighbours.number)
            self._attend_own_topic()
            self.presence.announce()

    def _watch_accounts(self) -> None:
        self._repeat(self._follow_accounts(), lambda: ACCOUNTS_MS, self._watch_accounts)

    def _retain(self) -> None:
        self._repeat(self._retention.step(self.scheduler.now_ms()), lambda: self.settings.maintenance_ms, self._retain)

    def _index(self) -> None:
        self._repeat(self._indexing.step(self.scheduler.now_ms()), lambda: self._indexing.pause_ms, self._index)

    def _repeat(self, work: Coroutine[Any, Any, None], pause_ms: Callable[[], int], again: Callable[[], None]) -> None:
        """Never two at a time, however slow the store is; and again after a failure, too."""

        async def run() -> None:
            try:
                await work
            except Exception:
                self.scheduler.later(pause_ms(), again)
                raise
            self.scheduler.later(pause_ms(), again)

        self.scheduler.spawn(run())

    async def _follow_accounts(self) -> None:
        changes = await self._accounts.changes(self._accounts_position)
        if self._accounts_position >= 0 and (changes.tenants or changes.users):
            await self._apply(changes)
        self._accounts_position = changes.position  # not earlier: what fails is done again

    async def _apply(self, changes: AccountChanges) -> None:
        self._directory.forget()
        for session in self.registry:
            session.routes = {}
            if session.user in changes.users:
                await self.recheck(session)
        if changes.tenants:
            tenants = {tenant.id: tenant for tenant in await self._accounts.tenants()}
            for session in self.registry:
                if session.tenant.id in changes.tenants and session.tenant.id in tenants:
                    session.use_settings_of(tenants[session.tenant.id], self.scheduler.now_ms())


def _refused(draft: Draft) -> None:
    draft.origin.not_stored(draft)
