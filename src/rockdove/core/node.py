"""One node: the parts of the core put together."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from rockdove.core.cluster import Cluster
from rockdove.core.deadlines import SLOT_MS, Deadlines
from rockdove.core.delivery.fanout import Fanout
from rockdove.core.delivery.presence import PresenceNews
from rockdove.core.delivery.ring import Ring
from rockdove.core.delivery.typing import TypingNews
from rockdove.core.directory import Directory
from rockdove.core.dispatch import Dispatch, Service
from rockdove.core.draining import REASON, Draining
from rockdove.core.errors import Refusal
from rockdove.core.hearing import Hearing
from rockdove.core.holding import Holding
from rockdove.core.indexing import Indexing
from rockdove.core.lanes import Lanes
from rockdove.core.login import Login
from rockdove.core.login_queue import LoginQueue
from rockdove.core.msgid import MsgidSource
from rockdove.core.neighbours import BEAT_MS, Neighbours
from rockdove.core.ports import Accounts, Auth, Bus, Link, Log, Nodes, Randomness, Scheduler, Store
from rockdove.core.records import (
    Change,
    Device,
    Draft,
    DraftRun,
    NodeState,
    NodeStatus,
    Outcome,
    Tenant,
    User,
)
from rockdove.core.registry import Registry
from rockdove.core.retention import Retention
from rockdove.core.seating import Seating
from rockdove.core.services.contact import ContactService
from rockdove.core.services.group import GroupService
from rockdove.core.services.message import MessageService
from rockdove.core.services.presence import PresenceService
from rockdove.core.services.receipt import ReceiptService
from rockdove.core.services.sync import SyncService
from rockdove.core.services.user import UserService
from rockdove.core.session import Session
from rockdove.core.settings import Settings
from rockdove.core.standing import Standing
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
        self._introduction = introduction
        self._bus = bus
        self.draining: Draining | None = None
        self.neighbours = Neighbours(nodes, bus, self._describe, log)
        self._msgids = MsgidSource(self.neighbours.number, store.last_msgid)
        self._ring = Ring(bus, scheduler) if bus is not None else None
        self._rules = pb.ConAck(  # the same for all connections
            heartbeat_seconds=settings.heartbeat_seconds,
            max_frame_bytes=settings.max_frame_bytes,
            window=settings.window,
            epoch=store.epoch,
        ).SerializeToString()
        self.registry = Registry()
        self.arrivals: set[Session] = set()  # connections that have not logged in
        self.deadlines = Deadlines()
        self.commit = Lanes(store, scheduler, self._msgids, log)
        self.holding = Holding(store, self.registry, self.neighbours, scheduler)
        self.fanout = Fanout(self.registry, self._ring)
        self.seating = Seating(store, self.registry, self.fanout, scheduler, bus)
        self.standing = Standing(accounts, store, self._directory, self.registry, self.holding, scheduler)
        self._presence = PresenceNews(store, self.registry, self.fanout, scheduler, self._ring, self.neighbours)
        self.cluster = Cluster(self.registry, self._presence, self.neighbours, scheduler, log, bus)
        self.message = MessageService(store, self._directory, self.fanout, self._msgids, scheduler, settings.max_frame_bytes)
        self.dispatch = self._assemble()
        self.logins = LoginQueue(settings.logins_at_once, settings.logins_waiting, scheduler)
        self.password_logins = LoginQueue(settings.logins_at_once, settings.logins_waiting, scheduler)
        self.login = Login(self._directory, accounts, store, auth, scheduler)
        self.commit.report_to(self._stored_run, self._stored, self._changed, _refused, self.fanout.delivered)

    def _assemble(self) -> Dispatch:
        """The services, by what they serve."""
        store, directory, registry, fanout = self.store, self._directory, self.registry, self.fanout
        frame_bytes = self.settings.max_frame_bytes
        presence = self._presence
        registry.on_change = presence.note
        typing = TypingNews(registry, fanout, self.scheduler, self._ring)
        self._hearing = Hearing(registry, fanout, presence, typing, self.commit, self.holding, self.scheduler, self.log)
        self.cluster.join(self._hearing)
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
        if self.draining is not None:  # it had been accepted before
            session.end(pb.SERVER_SHUTDOWN, REASON)
        return session

    def drain(self, within_ms: int = 0) -> None:
        """Tell every client that the server stops, evenly over that time; what was taken is finished first.

        The second time it tells all that are left.
        """
        if self.draining is not None:
            self.draining.hurry()
            return
        self.draining = Draining(self.registry, within_ms, self.scheduler)
        for session in list(self.arrivals):
            session.end(pb.SERVER_SHUTDOWN, REASON)
        self.commit.write_cursors()

    def welcome(self, tenant: Tenant, user: User, device_name: str, device: Device, now_ms: int) -> bytes:
        """The frame that answers a login (protocol §3)."""
        token, expires_at = self._auth.resume_token(tenant, user, device_name, device.kicked_ms, now_ms)
        return codec.welcome(self._rules, self._randomness.token(), now_ms, token, expires_at, device.last_seqid)

    # -- figures

    @property
    def bus_connected(self) -> bool:
        """Whether rings go out to other nodes."""
        return self._bus is not None and self._bus.connected

    @property
    def rings_sent(self) -> int:
        """To other nodes, since the start."""
        return self._ring.sent if self._ring is not None else 0

    @property
    def rings_received(self) -> int:
        """Of other nodes, since the start."""
        return self._hearing.heard

    # -- the way back from the store

    def _stored_run(self, run: DraftRun, now_ms: int) -> None:
        run.origin.committed_run(run)
        self.fanout.run(run, now_ms)

    def _stored(self, drafts: Sequence[Draft], now_ms: int) -> None:
        draft = drafts[0]
        if draft.refusal is not None:
            self._report(draft.refusal)
        draft.origin.committed(drafts)
        if draft.outcome is Outcome.STORED:
            self.fanout.messages(drafts, now_ms)
        elif draft.outcome is Outcome.RETRY and self.store.shared:
            self.fanout.remind(draft, now_ms)

    def _changed(self, change: Change, now_ms: int) -> Iterator[None]:
        if change.refusal is None:
            yield from self.fanout.change(change, now_ms)
        elif change.draft is None:
            self._report(change.refusal)
        if change.draft is not None:
            self._stored([change.draft], now_ms)
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
            bus_connected=self.bus_connected,
        )

    def _beat(self) -> None:
        self._repeat(self.cluster.live_on(), lambda: BEAT_MS, self._beat)

    def _watch_accounts(self) -> None:
        self._repeat(self.standing.follow(), lambda: ACCOUNTS_MS, self._watch_accounts)

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


def _refused(draft: Draft) -> None:
    draft.origin.not_stored(draft)
