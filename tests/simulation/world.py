"""A node, its disk, its clients and the network between them, in virtual time; all of it follows from the seed."""

import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from random import Random
from typing import Any, Final, TypeVar

from rockdove.core.errors import StoreFailed
from rockdove.core.msgid import first_msgid
from rockdove.core.node import Node
from rockdove.core.records import NO_RETENTION, Batch, Draft, Tenant, User, UserState, single_conversation
from rockdove.core.settings import Settings
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from rockdove.wire import codec
from tests.history.content import single_conversation as conversation_of
from tests.history.events import Event, Invoked, Killed, LoggedIn, Pinged, Ponged, Sent
from tests.raw import text_message
from tests.simulation.clock import MS, START_MS, Clock, NodeScheduler, pause
from tests.simulation.device import Acking, Device, Line
from tests.simulation.disk import Disk, NodeStore
from tests.simulation.groups import create, someone_changes_a_group
from tests.simulation.network import Connection, Fate
from tests.simulation.plan import Plan

OLD: Final = "old"  # name of a device
CALM_US: Final = 300_000 * MS  # until then everything must have found its place
PROMPT_US: Final = 30_000 * MS  # the same when nothing fails at all, and without the help of a heartbeat
Result = TypeVar("Result")


def at_once(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of work that awaits nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    raise AssertionError("it awaits something")


class World:
    """One run. `history` is what clients saw; `violations` is what they could not accept."""

    def __init__(self, seed: int, *, groups: bool = True, print_trace: bool = False) -> None:
        self.random = Random(seed)
        self.plan = Plan.of(self.random)
        if groups:
            self.plan.add_groups(Random(f"groups of {seed}"))
        self.print_trace = print_trace
        self.clock = Clock(Random(self.random.random()))
        self.history: list[Event] = []
        self.violations: list[str] = []
        self.transient: set[str] = set()
        self.backlog_last: dict[str, int] = {}  # by conversation: seq of the last message that was there at the start
        self.store_refused = self.plan.habits.unavailable > 0  # some commits
        self.strangers_refused = False  # at some time
        self.acks_are_settled = not (self.plan.habits.slow or self.store_refused)
        self._calm = False
        self.quiet = False  # clients leave heartbeats out
        self._passwords: dict[str, str] = {}
        self._connections: list[Connection] = []
        self._numbers = 0
        self._words = 0
        self.accounts = MemoryAccounts()
        self.disk = Disk(MemoryStore(self.accounts), self.plan.habits)
        self.note(str(self.plan))
        self._add_users()
        self._fill_backlog()
        devices = self.plan.devices + [(user, OLD) for user in self.plan.backlog]
        self.devices = [Device(self, user, name, Random(self.random.random())) for user, name in devices]
        self.node: Node | None = None
        self._start_node()

    # -- what is noted

    def note(self, text: str) -> None:
        """A line of the trace."""
        if self.print_trace:
            print(f"{self.clock.now_us / 1e6:11.6f}  {text}")

    def happened(self, event: Event) -> None:
        """A client saw this."""
        self.note(str(event))
        self.history.append(event)

    def pinged(self, event: Pinged | Ponged) -> None:
        """A heartbeat. Its answer says that acks are on disk only where the disk is fast and never refuses."""
        if self.acks_are_settled:
            self.happened(event)

    def check(self, right: bool, otherwise: str) -> None:
        """A promise that does not need the whole history."""
        if not right:
            self.violations.append(otherwise)
            self.note(f"VIOLATION {otherwise}")

    # -- before it begins

    def _add_users(self) -> None:
        users = sorted({user for user, _ in self.plan.devices})
        at_once(self.accounts.add_users(1, [(user, "hash") for user in users], 0))
        if not self.plan.retention:
            self._set_tenant(retention_days=NO_RETENTION)
        self.users = {user.name: user for user in at_once(self.accounts.users(1, "", len(users)))}
        self._passwords = dict.fromkeys(users, "first")

    def _set_tenant(self, **settings: Any) -> None:
        (tenant,) = at_once(self.accounts.tenants())
        at_once(self.accounts.set_tenant(replace(tenant, **settings)))

    def _fill_backlog(self) -> None:
        """What was written before, by devices that come back only now."""
        reader = self.plan.devices[0][0]
        msgid = first_msgid(START_MS - 3_600_000)
        for number, (sender, count) in enumerate(self.plan.backlog.items()):
            connection = -1 - number
            user, to = self.users[sender], self.users[reader]
            device = at_once(self.disk.store.open_device(user.id, OLD, "", START_MS)).id
            self.history.append(LoggedIn(connection, sender, OLD))
            name, conversation = conversation_of(sender, reader), single_conversation(user.id, to.id)
            batch = Batch()
            for seqid in range(1 << 60, (1 << 60) + count):
                words = self.new_words()
                body = codec.canonical(text_message(reader, words))
                draft = Draft(1, conversation, user.id, codec.sender_field(sender), device, seqid, body, None)
                msgid += 1024
                draft.msgid = msgid
                batch.messages.append(draft)
                self.history.append(Invoked(connection, seqid, name, words.encode()))
            batch.cursors[device, conversation] = count
            self.disk.store.commit(batch, lambda _: None)
            self.history += [Sent(connection, draft.seqid, draft.msgid, draft.seq) for draft in batch.messages]
            self.backlog_last[name] = count

    def new_words(self) -> str:
        """A text like no other."""
        self._words += 1
        return f"text {self._words}"

    def members(self, group: str) -> dict[str, int]:
        """Who is in the group now, and as what."""
        found = at_once(self.disk.store.group_named(1, group))
        members = at_once(self.disk.store.members(found.conversation, 0, len(self.users))) if found else []
        return {name: int(member.role) for name, member in members}

    def password(self, user: str) -> str:
        """What lets the user in now."""
        return self._passwords[user]

    # -- the node

    def _start_node(self) -> None:
        offset_ms = self.random.choice([0, 0, -5_000, 7_000])
        scheduler = NodeScheduler(self.clock, Random(self.random.random()), offset_ms, self._unexpected)
        self._scheduler = scheduler
        self._store = NodeStore(self.disk, self.clock, Random(self.random.random()))
        outside = _Outside(self)
        node = Node(
            Settings(window=self.plan.window, maintenance_ms=5_000),
            self._store,
            self.accounts,
            outside,
            scheduler,
            outside,
            outside,
        )
        node.commit.on_failure(self._disk_failed)
        self._lose_pushes(node)
        node.start()
        self.node = node
        self.note("the node starts")

    def _lose_pushes(self, node: Node) -> None:
        push = node.fanout.message

        def perhaps(draft: Draft, now_ms: int) -> None:
            if not self._calm and self.random.random() < self.plan.lost_pushes:
                self.note(f"nobody is told about {draft.msgid}")
            else:
                push(draft, now_ms)

        node.fanout.message = perhaps  # type: ignore[method-assign]

    def _disk_failed(self, error: StoreFailed) -> None:
        self.note(str(error))
        self.clock.after(0, self.crash)

    def crash(self) -> None:
        """Kill the node, and start it again after a while."""
        if self.node is None:
            return
        self.happened(Killed())
        self.node = None
        self._scheduler.alive = False
        self._store.crash()
        for connection in self._connections:
            connection.server_died()
        self._connections.clear()
        self.clock.after(self.random.choice([1, 300, 4_000]) * MS, self._start_node)

    def _unexpected(self, error: Exception) -> None:
        self.check(False, "".join(traceback.format_exception(error)))

    def open_connection(self, device: Device) -> Connection | None:
        """A new connection; None while the server is down."""
        if self.node is None:
            return None
        bad = not self._calm and self.random.random() < self.plan.bad_network
        self._numbers += 1
        fate = Fate.of(self.random) if bad else Fate()
        connection = Connection(self._numbers, self.clock, Random(self.random.random()), device, fate)
        connection.session = self.node.connect(connection, "192.0.2.1")
        self._connections.append(connection)
        return connection

    # -- the course of things

    def run(self) -> None:
        """Storm, calm, and a last round in which everything has to be prompt."""
        self._storm()
        self._calm_down()
        if not self.violations:
            self._last_round()
        self.note(f"the end, {len(self.history)} events")

    def _storm(self) -> None:
        for device in self.devices:
            device.connect_soon(self.plan.storm_ms // 2 if self.random.random() < 0.3 else 300)
        for _ in range(self.plan.sends):
            self._some_time(World._someone_sends)
        for group in self.plan.groups:
            self.clock.after(self.random.randrange(self.plan.storm_ms // 4) * MS, lambda group=group: create(self, group))
            for _ in range(self.plan.changes):
                self._some_time(lambda world, group=group: someone_changes_a_group(world, group))
        for _ in range(self.plan.troubles):
            self._some_time(self.random.choice(_TROUBLES))
        for _ in range(self.plan.crashes):
            self._some_time(World.crash)
        self.clock.run(self.plan.storm_ms * MS)

    def _some_time(self, act: Callable[["World"], None]) -> None:
        self.clock.after(self.random.randrange(self.plan.storm_ms) * MS, lambda: None if self._calm else act(self))

    def _someone_sends(self) -> None:
        device = self.random.choice(self.devices)
        for _ in range(self.random.choice([1, 1, 2, 6])):
            self._send_somewhere(device, transient_share=0.1)
        if self.random.random() < 0.3:
            device.repeat()

    def _send_somewhere(self, device: Device, transient_share: float = 0.0) -> None:
        to_group = bool(self.plan.groups) and self.random.random() < 0.7
        to = self.random.choice(self.plan.groups if to_group else list(self.users))
        transient = transient_share > 0 and self.random.random() < transient_share
        device.send(to, self.new_words(), to_group=to_group, transient=transient)

    def _calm_down(self) -> None:
        self.note("calm")
        self._calm = True
        self.plan.habits.unavailable = self.plan.habits.fatal = 0
        self._set_tenant(strangers=True)
        for user in self.users.values():
            at_once(self.accounts.set_user(user.id, state=UserState.ACTIVE))
        for connection in self._connections:
            connection.be_lucky()
            connection.go_on_reading()
        for device in self.devices:
            device.wanted = True
            device.acking = [Acking.AT_ONCE, Acking.LATE]
            for line in device.lines.values():
                line.acking = Acking.AT_ONCE
                if self.random.random() < 0.5:  # else it comes again
                    device.ack_all(line)
            device.connect_soon()
        self._wait(CALM_US, "after the storm")

    def _last_round(self) -> None:
        """Only now has a bug no heartbeat to hide behind."""
        self.note("last round")
        self.quiet = True
        for device in self.devices:
            if self.random.random() < 0.4:
                device.connect()  # beside the other, which the server shall end
        self.clock.run(self.clock.now_us + 3_000 * MS)
        for device in self.devices:
            if device.line is not None and self.random.random() < 0.3:
                device.line.connection.client_reads = False
                device.pull(list(self.users), self.plan.groups)  # fills the way out
                self.clock.after(2_000 * MS, device.line.connection.go_on_reading)
        self.clock.run(self.clock.now_us + 500 * MS)
        for device in self.devices:
            for _ in range(self.random.randint(0, 6)):
                self._send_somewhere(device)
            for group in self.plan.groups:
                someone_changes_a_group(self, group)
        self._wait(PROMPT_US, "in the last round")
        for device in self.devices:
            device.pull(list(self.users), self.plan.groups)
        self.clock.run(self.clock.now_us + 2_000 * MS)

    def _wait(self, limit_us: int, when: str) -> None:
        deadline_us = self.clock.now_us + limit_us
        while not self.violations and self._unfinished():
            if self.clock.now_us >= deadline_us:
                self.check(False, f"{when} it never ends: {self._unfinished()}")
                return
            self.clock.run(self.clock.now_us + 500 * MS)

    def _unfinished(self) -> str:
        """What somebody still waits for."""
        for device in self.devices:
            if device.line is None or device.line.connection.broken:
                return f"{device} is not online"
            if device.outbox:
                return f"{device} has no answer to {next(iter(device.outbox))}"
            if device.wishes:
                return f"{device} has no answer to {next(iter(device.wishes.values()))}"
            user = self.users[device.user]
            opened = at_once(self.disk.store.open_device(user.id, device.name, "", START_MS))
            if owed := at_once(self.disk.store.owed(user.id, opened.id)):
                position = at_once(self.disk.store.position(user.id, opened.id, owed[0]))
                return f"{device} is owed conversation {owed[0]} after {position}"
        return ""


# ---------------------------------------------------------------- troubles


def _any_line(world: World) -> tuple[Device, Line] | None:
    online = [(device, device.line) for device in world.devices if device.line is not None]
    device, line = world.random.choice(online) if online else (None, None)
    return (device, line) if device is not None and line is not None else None


def _hang_up(world: World) -> None:
    world.random.choice(world.devices).hang_up()


def _connect_twice(world: World) -> None:
    device = world.random.choice(world.devices)
    for _ in range(world.random.choice([1, 1, 2])):
        device.connect()


def _stop_reading(world: World) -> None:
    if (found := _any_line(world)) is not None:
        connection = found[1].connection
        connection.client_reads = False
        world.clock.after(world.random.choice([100, 5_000, 60_000]) * MS, connection.go_on_reading)


def _stay_away(world: World) -> None:
    device = world.random.choice(world.devices)
    device.wanted = False
    device.hang_up()

    def come_back() -> None:
        device.wanted = True
        device.connect_soon()

    world.clock.after(world.random.choice([500, 20_000]) * MS, come_back)


def _change_password(world: World) -> None:
    name = world.random.choice(list(world.users))
    world._passwords[name] += "'"
    at_once(world.accounts.set_user(world.users[name].id, password_hash="another hash"))


def _disable(world: World) -> None:
    user = world.random.choice(list(world.users.values()))
    at_once(world.accounts.set_user(user.id, state=UserState.DISABLED))
    delay_us = world.random.choice([500, 5_000]) * MS
    world.clock.after(delay_us, lambda: at_once(world.accounts.set_user(user.id, state=UserState.ACTIVE)))


def _forbid_strangers(world: World) -> None:
    world._set_tenant(strangers=False)
    world.strangers_refused = True
    world.clock.after(world.random.choice([500, 5_000]) * MS, lambda: world._set_tenant(strangers=True))


_TROUBLES: Final = [
    _hang_up,
    _connect_twice,
    _connect_twice,
    _stop_reading,
    _stay_away,
    _change_password,
    _disable,
    _forbid_strangers,
]


class _Outside:
    """`core.ports.Auth`, `Randomness` and `Log`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def recognises(
        self, tenant: Tenant, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        known = user is not None and user.state is UserState.ACTIVE and token == self._world.password(name)
        return known and self._world.random.random() < 0.5  # else it has to be hashed

    async def check(
        self, tenant: Tenant | None, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        right = user is not None and user.state is UserState.ACTIVE and token == self._world.password(name)
        await pause(self._world.random.choice([0, 1, 30]) * MS)
        return right

    def resume_token(self, tenant: Tenant, user: User, device: str, kicked_ms: int, now_ms: int) -> tuple[str, int]:
        return "", 0

    def token(self) -> str:
        return f"{self._world.random.getrandbits(64):016x}"

    def debug(self, event: str, **fields: object) -> None:
        pass

    def info(self, event: str, **fields: object) -> None:
        pass

    def error(self, event: str, **fields: object) -> None:
        self.warning(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        self._world.note(f"log: {event} {fields}")

    def exception(self, event: str, **fields: object) -> None:
        self._world.check(False, f"the node logs {event} {fields}:\n{traceback.format_exc()}")
