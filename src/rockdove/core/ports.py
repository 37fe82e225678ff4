"""Everything that the core asks of the outside."""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from rockdove.core.records import (
    AccountChanges,
    Batch,
    Caller,
    Contact,
    Device,
    DeviceState,
    Earlier,
    Effect,
    Group,
    Hold,
    JoinRequest,
    Located,
    Match,
    Member,
    NodeState,
    Position,
    Profile,
    Query,
    ReadMarks,
    Role,
    Span,
    Spans,
    Stored,
    Summary,
    Tenant,
    User,
    UserState,
)


class View(Protocol):
    """What permits and rules look at. Within a commit it sees everything before them in the batch."""

    async def last_seq(self, conversation: int) -> int:
        """The highest seq ever given in this conversation, 0 if none."""

    async def visible(self, user: int, conversation: int) -> Spans:
        """What the user may see of the log (protocol §7), less what he cleared; empty for who never was in it."""

    async def read_seq(self, user: int, conversation: int) -> int:
        """The user's read cursor, 0 if nothing was read."""

    async def located(self, msgid: int) -> Located | None:
        """The message with that msgid, if it was not cut."""

    async def edits(self, msgid: int) -> Sequence[int]:
        """The msgids of the EDITs of that message."""

    async def group(self, conversation: int) -> Group | None:
        """The group, also a dissolved one."""

    async def group_named(self, tenant: int, group_id: str) -> Group | None:
        """The group of that id, also a dissolved one."""

    async def new_group(self) -> int:
        """A conversation id for the next new group; where nodes share the store, nobody else is given it."""

    async def member(self, conversation: int, user: int) -> Member | None:
        """The user as a present member; None for others, and in a dissolved group."""

    async def roles_among(self, conversation: int, users: Collection[int]) -> Mapping[int, Role]:
        """Of those of `users` that `member` would find, the role, by user."""

    async def join_request(self, conversation: int, user: int) -> JoinRequest | None:
        """What waits for an admin's answer."""

    async def askers_among(self, conversation: int, users: Collection[int]) -> Collection[int]:
        """Those of `users` for whom there is a `join_request`."""

    async def contact(self, user: int, peer: int) -> Contact:
        """How `user` sees `peer`; one of version 0 if nothing was ever stored."""

    async def contacts_between(self, pairs: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], Contact]:
        """`contact` of many (user, peer) pairs at once."""

    async def sides_towards(self, peer: int, users: Collection[int]) -> Mapping[int, Contact]:
        """How each of `users` sees `peer`, by user; those of whom nothing was ever stored are left out."""

    async def contact_version(self, user: int) -> int:
        """The highest version in the user's list, 0 if it is empty."""

    async def contact_count(self, user: int) -> int:
        """How many contacts the user has that are not NONE, blocked ones included."""

    async def device(self, user: int, name: str) -> Device | None:
        """The user's device of that name; `holder` is the node where it logged in last."""


class Permit(Protocol):
    """May this message be stored? Asked in the transaction that stores it."""

    async def check(self, view: View, now_ms: int) -> None:
        """Raises Refusal if not. Writes nothing."""


class Rule(Protocol):
    """Decides on a change, in the transaction that carries it out."""

    @property
    def conversation(self) -> int:
        """In whose order it is decided, as no other node writes there meanwhile; of a contact that of the two; 0: none."""

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[Effect]:
        """What is to be done, in order; nothing when all is as asked for already. `msgids` are those of the change.

        Raises Refusal; then nothing is done.
        """


class Store(View, Protocol):
    """Logs, cursors, devices, groups, contacts. A read sees every commit whose `done` has been called."""

    @property
    def epoch(self) -> int:
        """Identity of the stored data; changes when it was restored from a copy (protocol §3)."""

    @property
    def last_msgid(self) -> int:
        """The highest msgid ever stored, 0 if none."""

    @property
    def lanes(self) -> int:
        """How many commits may be under way at the same time, each of a lane of its own; at least 1."""

    @property
    def shared(self) -> bool:
        """Whether other nodes may write to it. Then what was permitted once must be asked again each time."""

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        """Store `batch` in one durable transaction, then call `done(None)`, at once or later.

        In the transaction each draft, in order, gets the next seq of its conversation, or is found to be a
        retry or a conflict of its (device, seqid) key (protocol §4), or is refused by its permit. Each change is decided
        in its place among them: its draft, if any, is looked up as a retry first; then the rule is asked, its effects are
        carried out, and the draft is stored. What is refused leaves no trace, and its key stays free. Where a rule or permit
        fails with anything but a Refusal, that one alone is refused as INTERNAL, with the fault as `__cause__`.

        The devices of `Batch.newcomers` are made where they are missing; only a store of one node need do that.

        On failure nothing at all of the batch is stored, and `done` gets StoreUnavailable (a later batch may succeed)
        or StoreFailed (stop the node). The core starts the next commit of a lane only after `done`. A store that
        others write to, too, may decide the batch anew, see `Batch.begin_anew`; within a conversation msgids grow with seq.
        """

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        """The first `limit` messages with `after` < seq < `before`, upwards; `before` 0 is no bound."""

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        """The last `limit` messages with seq < `before` (0: no bound), upwards."""

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        """What was stored under this key, if anything (protocol §4 Retry is safe)."""

    async def open_device(self, user: int, name: str, client: str, now_ms: int, node: int = 0) -> Device:
        """The device, made when it is new. A new one starts at the highest of its siblings' cursors (protocol §5).

        In a shared store this is a login at that node: it gets the next number, and the node is the holder from now on;
        Device.holder is the one before. Raises StoreUnavailable for what cannot be stored now.
        """

    async def give_back(self, user: int, name: str, taken: Hold, before: Hold) -> None:
        """The login `taken` of a device was in vain: the one `before` it has the device again, if nobody came in between.

        Raises StoreUnavailable.
        """

    async def owed(self, user: int, device: int) -> Sequence[int]:
        """Conversations of which the user may see more than this device's cursor covers, those idle longest first."""

    async def position(self, user: int, device: int, conversation: int) -> Position:
        """Where the device stands."""

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        """The user's conversations, newest activity first, those after the one with (last_msgid, conversation) `before`.

        Groups that the user has left are among them, and end with the last message that he may see.
        """

    async def hidden(self, user: int, conversation: int, after: int, through: int) -> frozenset[int]:
        """The seqs in (after, through] that the user has deleted for himself."""

    async def devices(self, user: int) -> Sequence[DeviceState]:
        """The user's devices, by name."""

    async def caller(self, tenant: int, user: str, device: str) -> Caller | None:
        """The user of that name and his device of that name; None if there never was such a user."""

    # -- groups and contacts

    async def groups_of(self, user: int) -> Sequence[tuple[int, int]]:
        """The groups, not dissolved, that the user is a member of, with their versions, by conversation id."""

    async def groups(self, user: int, after: int, limit: int) -> Sequence[tuple[Group, Member]]:
        """The same with all there is to say, by conversation id from above `after`."""

    async def members(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, Member]]:
        """Present members and their names, by user id from above `after`; none of a dissolved group."""

    async def admins(self, conversation: int) -> Sequence[int]:
        """The user ids of the owner and the admins."""

    async def join_requests(self, conversation: int, after: int, limit: int) -> Sequence[tuple[str, JoinRequest]]:
        """Who waits for an answer, with names, by user id from above `after`."""

    async def read_marks(self, conversation: int, seq: int, after: int, limit: int) -> ReadMarks:
        """Which present members of a group, who may see the message, have read it; users from above id `after`."""

    async def contacts(self, user: int, since: int, limit: int) -> Sequence[tuple[str, Contact]]:
        """The user's contacts with a version above `since`, by version, with the names of the others."""

    async def friends(self, user: int) -> Sequence[int]:
        """Who is FRIEND in the user's list, and not blocked there."""

    # -- search

    async def search(self, user: int, query: Query, limit: int) -> tuple[Sequence[Match], int]:
        """Messages that match and that the user may see, newest first; and where to go on.

        Sees every stored message. Looks at a bounded number of messages: fewer than `limit` matches do not mean the end.
        The second value is the `before_msgid` to go on with, 0 at the end.
        """

    async def index(self, limit: int) -> int:
        """Take up to `limit` stored messages into the index, so that searches are fast; say how many there were."""

    async def spans(self, after: int, unseen_since_ms: int, limit: int) -> Sequence[Span]:
        """Conversations with an id above `after` whose tenant does not keep messages for ever, by id.

        Devices last seen before `unseen_since_ms` have expired (protocol §5 Retention).
        """

    async def cut(self, conversation: int, through: int, older_than: int, limit: int) -> int:
        """Delete up to `limit` messages with seq <= `through` and msgid < `older_than`, lowest first; say how many.

        Very new ones may be left for the next call. Retries of what was cut are still recognised.
        """

    async def forget_requests(self, older_than: int, limit: int) -> None:
        """Forget up to `limit` de-duplication keys of messages that were cut and have a msgid < `older_than`."""

    def close(self) -> None:
        """Let go of the files. Nothing is committed by this."""


class Accounts(Protocol):
    """Tenants and users. The command line writes here while the server runs."""

    async def tenants(self) -> Sequence[Tenant]:
        """All of them, by org and appkey."""

    async def tenant(self, org: str, appkey: str) -> Tenant | None:
        """The tenant of that name, compared exactly."""

    async def add_tenant(self, tenant: Tenant) -> Tenant | None:
        """Store a new tenant, whose `id` is ignored, and return it with its id; None if the name is taken."""

    async def set_tenant(self, tenant: Tenant) -> None:
        """Replace the settings of the tenant with this id."""

    async def user(self, tenant: int, name: str) -> User | None:
        """The user of that name, removed ones included."""

    async def ids_named(self, tenant: int, user_names: Collection[str], *, removed: bool) -> Mapping[str, int]:
        """The ids of the users of these names, of removed ones only if asked for. Who does not exist is left out."""

    async def user_by_id(self, user: int) -> User | None:
        """The user with that id, removed ones included."""

    async def users(self, tenant: int, after: str, limit: int) -> Sequence[User]:
        """Users by name, from the first one above `after`; removed ones are left out."""

    async def add_users(self, tenant: int, names_and_hashes: Sequence[tuple[str, str]], now_ms: int) -> Sequence[str]:
        """Store new users, all or none of them; returns the names that were taken (then nothing was stored)."""

    async def set_user(self, user: int, *, state: UserState | None = None, password_hash: str | None = None) -> None:
        """Change a user. A new password raises `credential_version`; so does removal, which also forgets the hash."""

    async def profiles(self, tenant: int, names: Sequence[str]) -> Sequence[Profile]:
        """The profiles of those of `names` that are users, by name; removed users are left out."""

    async def find_profiles(self, tenant: int, prefix: str, limit: int) -> Sequence[Profile]:
        """Users whose name or nickname begins with `prefix`, whatever its case, by name; removed ones are left out."""

    async def set_profile(self, profile: Profile) -> None:
        """Replace what the user tells others about himself. Durable when it returns."""

    async def changes(self, position: int) -> AccountChanges:
        """What changed after `position`, whoever did it; cheap when nothing did. A position of -1 only tells the newest."""

    async def signing_key(self) -> bytes:
        """The secret that signs resume tokens: 32 random bytes, made with the store."""


class Nodes(Protocol):
    """The nodes that share a store."""

    @property
    def number(self) -> int:
        """Of this node, from 1 to 1023; no other living node has it. 0 where there is only one node."""

    async def beat(self, state: NodeState) -> Sequence[NodeState]:
        """Say that this node is alive, and how it is. Who is alive: this one too, by number.

        Raises StoreUnavailable; who cannot say it for too long counts as dead, and its commits are refused until it can. Raises
        StoreFailed if another node has the number by then: stop the node.
        """

    async def leave(self) -> None:
        """This node ends: its number is free."""


class Bus(Protocol):
    """A doorbell between nodes: a ring may be missed, come twice or late. It carries no authority; the store is the truth.

    A topic is a short name of lower-case letters, digits and points, such as "user.17". Who attends one hears what others ring
    there, never what he rings himself.
    """

    @property
    def connected(self) -> bool:
        """Whether rings go out now."""

    def attend(self, topic: str) -> None:
        """Hear what is rung there from now on. Takes effect a little later, see `settled`."""

    def leave(self, topic: str) -> None:
        """No more."""

    async def settled(self) -> None:
        """Wait until all that was asked for by `attend` holds; not while the bus is away, and never long. Does not raise."""

    def ring(self, topic: str, news: bytes) -> None:
        """Tell whoever attends. Never blocks, never raises; without a connection nobody hears it."""

    async def ask(self, topic: str, question: bytes, answers: int, timeout_ms: int) -> Sequence[bytes]:
        """What those who attend answer, up to so many, within that time; at once when nobody attends. Does not raise."""

    def listen(
        self,
        on_ring: Callable[[str, bytes], None],
        on_question: Callable[[str, bytes, Callable[[bytes], None]], None],
        on_gap: Callable[[], None],
    ) -> None:
        """Whom to tell of rings and of questions, and of it that rings may have been missed.

        Of a question: the topic, what is asked, and what to call, at once, later or never, with the answer.
        """


class Auth(Protocol):
    """Is this token this user's? Slow hashing stays off the loop; how many checks come at a time is bounded by who asks."""

    def recognises(
        self, tenant: Tenant, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        """Whether the token lets `name` in without hashing anything: the same as `check` for a True, and quick."""

    async def check(
        self, tenant: Tenant | None, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        """Whether the token lets `name` in. Takes the same time for unknown tenants and users as for a wrong password.

        True for a `user` of None means: the tenant vouches for a user whom we do not know yet (app token).
        Tokens given to the device before `kicked_ms` (ms since the epoch, 0 for never) are dead; passwords are not.
        """

    def resume_token(self, tenant: Tenant, user: User, device: str, kicked_ms: int, now_ms: int) -> tuple[str, int]:
        """A token for coming back as this device, and when it expires (ms since the epoch)."""


class Link(Protocol):
    """The write side of one connection."""

    def write(self, data: bytes) -> None:
        """Send `data` after what was written before. Never blocks, never raises."""

    def close(self) -> None:
        """Close once everything written has been sent."""

    def abort(self) -> None:
        """Close now; what was not sent is dropped."""

    def pause_reading(self) -> None:
        """Stop calling the session with data. May be called twice."""

    def resume_reading(self) -> None:
        """Go on with it. May be called twice."""


class Scheduler(Protocol):
    """The event loop, as far as the core needs one."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call back in the next turn, after everything that this turn has received was handled."""

    def later(self, delay_ms: int, call: Callable[[], None]) -> None:
        """Call back after `delay_ms` milliseconds."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; starting it at once is allowed. It does not raise."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; may step."""


class Randomness(Protocol):
    """Where ids that nobody may guess come from."""

    def token(self) -> str:
        """A fresh id of 16 letters and digits."""


class Log(Protocol):
    """Structured events for operators; never message text, never a token."""

    def debug(self, event: str, **fields: object) -> object:
        """Of interest only while looking for a fault."""

    def info(self, event: str, **fields: object) -> object:
        """Part of normal life."""

    def warning(self, event: str, **fields: object) -> object:
        """Somebody should look some day."""

    def error(self, event: str, **fields: object) -> object:
        """Somebody must look now."""

    def exception(self, event: str, **fields: object) -> object:
        """A bug of ours; called while the exception is being handled."""
