"""Nodes, their store, their clients and the networks between them, in virtual time; all of it follows from the seed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

from rockdove.bus.local import PROMPT, Hub
from rockdove.core.msgid import first_msgid
from rockdove.core.node import Node
from rockdove.core.records import NO_RETENTION, Batch, Draft, UserState, single_conversation
from rockdove.store.memory.accounts import MemoryAccounts
from rockdove.store.memory.store import MemoryStore
from rockdove.wire import codec
from tests.history.content import single_conversation as conversation_of
from tests.history.events import Event, Invoked, LoggedIn, Pinged, Ponged, Sent
from tests.raw import text_message
from tests.simulation.clock import MS, START_MS, Clock, at_once
from tests.simulation.device import Acking, Device
from tests.simulation.disk import Disk
from tests.simulation.groups import create, someone_changes_a_group
from tests.simulation.network import Connection, Fate
from tests.simulation.nodes import Register
from tests.simulation.plan import Plan
from tests.simulation.server import Server
from tests.simulation.troubles import NODE_TROUBLES, TROUBLES

OLD: Final = "old"  # name of a device
CALM_US: Final = 300_000 * MS  # until then everything must have found its place
PROMPT_US: Final = 30_000 * MS  # the same when nothing fails at all, and without the help of a heartbeat


class World:
    """One run. `history` is what clients saw; `violations` is what they could not accept."""

    def __init__(self, seed: int, *, groups: bool = True, nodes: bool = True, print_trace: bool = False) -> None:
        self.random = Random(seed)
        self.plan = Plan.of(self.random)
        if groups:
            self.plan.add_groups(Random(f"groups of {seed}"))
        if nodes:
            self.plan.add_nodes(Random(f"nodes of {seed}"))
        self.print_trace = print_trace
        self.clock = Clock(Random(self.random.random()))
        self.history: list[Event] = []
        self.violations: list[str] = []
        self.transient: set[str] = set()
        self.backlog_last: dict[str, int] = {}  # by conversation: seq of the last message that was there at the start
        self.strangers_refused = False  # at some time
        self.acks_are_settled = not (self.plan.habits.slow or self.plan.habits.unavailable)
        self.calm = False
        self.quiet = False  # clients leave heartbeats out
        self.passwords: dict[str, str] = {}
        self._numbers = 0
        self._words = 0
        self.accounts = MemoryAccounts()
        self.disk = Disk(MemoryStore(self.accounts, shared=self.plan.nodes > 1), self.plan.habits)
        self.register = Register(self.clock)
        self.hub = Hub(self._ring_arrives)
        self.note(str(self.plan))
        self._add_users()
        self._fill_backlog()
        devices = self.plan.devices + [(user, OLD) for user in self.plan.backlog]
        self.devices = [Device(self, user, name, Random(self.random.random())) for user, name in devices]
        self.servers = [Server(self, f"node {number + 1}") for number in range(self.plan.nodes)]

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
            self.set_tenant(retention_days=NO_RETENTION)
        self.users = {user.name: user for user in at_once(self.accounts.users(1, "", len(users)))}
        self.passwords = dict.fromkeys(users, "first")

    def set_tenant(self, **settings: Any) -> None:
        """Change the tenant's settings."""
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

    def newest_login(self, user: str, device: str) -> int:
        """The number of the device's last login."""
        found = at_once(self.disk.store.device(self.users[user].id, device))
        return found.login if found else 0

    def password(self, user: str) -> str:
        """What lets the user in now."""
        return self.passwords[user]

    # -- the nodes

    def _ring_arrives(self) -> Sequence[int]:
        """The fate of what one node tells another (bus.local.Hub)."""
        if self.calm:
            return PROMPT
        luck = self.random.random()
        if luck < self.plan.lost_rings:
            return ()
        if luck < self.plan.lost_rings + self.plan.bad_rings:
            late_ms = self.random.choice([1, 20, 4_000])
            return self.random.choice([(late_ms,), (0, late_ms)])
        return PROMPT

    def crash(self) -> None:
        """Kill a node, and start it again after a while."""
        self.random.choice(self.servers).crash()

    def open_connection(self, device: Device) -> Connection | None:
        """A new connection to any of the nodes; None if there is none."""
        servers = [server for server in self.servers if server.node is not None]
        if not servers:
            return None
        bad = not self.calm and self.random.random() < self.plan.bad_network
        self._numbers += 1
        fate = Fate.of(self.random) if bad else Fate()
        connection = Connection(self._numbers, self.clock, Random(self.random.random()), device, fate)
        self.random.choice(servers).connect(connection)
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
            self._some_time(self.random.choice(TROUBLES))
        for _ in range(self.plan.node_troubles if self.plan.nodes > 1 else 0):
            self._some_time(self.random.choice(NODE_TROUBLES))
        for _ in range(self.plan.crashes):
            self._some_time(World.crash)
        self.clock.run(self.plan.storm_ms * MS)

    def _some_time(self, act: Callable[["World"], None]) -> None:
        self.clock.after(self.random.randrange(self.plan.storm_ms) * MS, lambda: None if self.calm else act(self))

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
        self.calm = True
        self.plan.habits.unavailable = self.plan.habits.fatal = self.plan.habits.late_logins = 0
        self.set_tenant(strangers=True)
        for name in self.users:
            user = at_once(self.accounts.user(1, name))
            if user is not None and user.state is not UserState.ACTIVE:
                at_once(self.accounts.set_user(user.id, state=UserState.ACTIVE))
        for server in self.servers:
            server.be_lucky()
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
        if self.plan.nodes > 1 and self.random.random() < 0.3:
            self.random.choice(self.servers).cut_off(2_000)
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
            if (sessions := self._sessions_of(user.id, device.name)) != 1:
                return f"{device} has {sessions} sessions"
        return "somebody is still logging in" if any(node.arrivals for node in self._nodes()) else ""

    def _nodes(self) -> list[Node]:
        return [server.node for server in self.servers if server.node is not None]

    def _sessions_of(self, user: int, device: str) -> int:
        return sum(session.device_name == device for node in self._nodes() for session in node.registry.sessions(user))
