"""Everything that the core asks of the outside."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from rockdove.core.records import (
    AccountChanges,
    Batch,
    Device,
    Earlier,
    Position,
    Span,
    Stored,
    Summary,
    Tenant,
    User,
    UserState,
)


class Store(Protocol):
    """Logs, cursors and devices. A read sees every commit whose `done` has been called."""

    @property
    def epoch(self) -> int:
        """Identity of the stored data; changes when it was restored from a copy (protocol §3)."""

    @property
    def last_msgid(self) -> int:
        """The highest msgid ever stored, 0 if none."""

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        """Store `batch` in one durable transaction, then call `done(None)`, at once or later.

        In the transaction each draft, in order, gets the next seq of its conversation, or is found to be a
        retry or a conflict of its (device, seqid) key (protocol §4). On failure nothing at all of the batch is
        stored, and `done` gets StoreUnavailable (a later batch may succeed) or StoreFailed (stop the node).
        The core starts the next commit only after `done`.
        """

    async def messages(self, conversation: int, after: int, before: int, limit: int) -> Sequence[Stored]:
        """The first `limit` messages with `after` < seq < `before`, upwards; `before` 0 is no bound."""

    async def newest(self, conversation: int, before: int, limit: int) -> Sequence[Stored]:
        """The last `limit` messages with seq < `before` (0: no bound), upwards."""

    async def last_seq(self, conversation: int) -> int:
        """The highest seq ever given in this conversation, 0 if none."""

    async def earlier(self, device: int, seqid: int) -> Earlier | None:
        """What was stored under this key, if anything (protocol §4 Retry is safe)."""

    async def open_device(self, user: int, name: str, client: str, now_ms: int) -> Device:
        """The device, made when it is new. A new one starts at the highest of its siblings' cursors (protocol §5).

        Raises StoreUnavailable for a new device that cannot be stored now.
        """

    async def owed(self, user: int, device: int) -> Sequence[int]:
        """Conversations whose log goes on beyond this device's cursor, those idle longest first."""

    async def position(self, user: int, device: int, conversation: int) -> Position:
        """Where the device stands."""

    async def read_seq(self, user: int, conversation: int) -> int:
        """The user's read cursor, 0 if nothing was read."""

    async def summaries(self, user: int, device: int, before: tuple[int, int] | None, limit: int) -> Sequence[Summary]:
        """The user's conversations, newest activity first, those after the one with (last_msgid, conversation) `before`."""

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

    async def user_by_id(self, user: int) -> User | None:
        """The user with that id, removed ones included."""

    async def users(self, tenant: int, after: str, limit: int) -> Sequence[User]:
        """Users by name, from the first one above `after`; removed ones are left out."""

    async def add_users(self, tenant: int, names_and_hashes: Sequence[tuple[str, str]], now_ms: int) -> Sequence[str]:
        """Store new users, all or none of them; returns the names that were taken (then nothing was stored)."""

    async def set_user(self, user: int, *, state: UserState | None = None, password_hash: str | None = None) -> None:
        """Change a user. A new password raises `credential_version`; so does removal, which also forgets the hash."""

    async def changes(self, position: int) -> AccountChanges:
        """What changed after `position`, whoever did it; cheap when nothing did. A position of -1 only tells the newest."""

    async def signing_key(self) -> bytes:
        """The secret that signs resume tokens: 32 random bytes, made with the store."""


class Auth(Protocol):
    """Is this token this user's? Slow hashing stays off the loop and is bounded."""

    async def check(self, tenant: Tenant | None, name: str, user: User | None, device: str, token: str, now_ms: int) -> bool:
        """Whether the token lets `name` in. Takes the same time for unknown tenants and users as for a wrong password.

        True for a `user` of None means: the tenant vouches for a user whom we do not know yet (app token).
        Raises Refusal(RESOURCE_EXHAUSTED) when too many checks are waiting.
        """

    def resume_token(self, tenant: Tenant, user: User, device: str, now_ms: int) -> tuple[str, int]:
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
