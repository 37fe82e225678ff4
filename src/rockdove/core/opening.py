"""A login under way: from Connect to the open session, or the refusal (protocol §3)."""

from collections.abc import Callable, Coroutine
from sys import intern
from typing import TYPE_CHECKING, Any, Final

from rockdove.core.errors import KICKED, REPLACED, Refusal, StoreUnavailable
from rockdove.core.login import Admission, Admit
from rockdove.core.login_queue import LoginQueue
from rockdove.core.records import Device
from rockdove.wire import im_pb2 as pb
from rockdove.wire.names import display_text

if TYPE_CHECKING:
    from rockdove.core.node import Node
    from rockdove.core.session import Session

NO_STORE: Final = "the server cannot use its store now: try again later"


class Opening:
    """One login of one connection. Its steps have their turns among all logins."""

    __slots__ = ("_at_once", "_changes", "_connect", "_goes_on", "_node", "_queue", "_session")

    def __init__(self, node: "Node", session: "Session", connect: pb.Connect) -> None:
        self._node = node
        self._session = session
        self._connect = connect
        self._queue = node.logins
        self._at_once = False  # nothing has happened since the store was looked into
        self._goes_on = False  # one more step follows
        self._changes = 0  # of accounts that had been followed when this one was looked up

    def begin(self) -> None:
        """Those who need no password's hash do not wait for those who do."""
        self._enter(self._node.logins, self._recognise_then)

    def withdraw(self) -> None:
        """The session ends."""
        self._queue.withdraw(self._session)

    def _enter(self, queue: LoginQueue, begin: Callable[[], None]) -> None:
        if not self._session.arriving:
            return
        self._queue = queue
        try:
            queue.enter(self._session, begin)
        except Refusal as refusal:
            self._session.refuse(refusal)

    def _recognise_then(self) -> None:
        """What this device has sent before is stored first: then one look into the store is enough."""
        if self._node.store.shared:  # what is read there holds for no moment
            self._go(self._log_in(self._node.login.recognise))
        else:
            self._session.commit.then(self._recognise)

    def _recognise(self, _: Exception | None) -> None:
        self._at_once = True
        self._go(self._log_in(self._node.login.recognise))
        self._at_once = False  # if it waits for something

    def _check(self) -> None:
        self._go(self._log_in(self._node.login.admit))

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        self._node.scheduler.spawn(self._step(work))

    async def _step(self, work: Coroutine[Any, Any, None]) -> None:
        """A step of the login. After the last one somebody else has his turn."""
        self._goes_on = False
        try:
            await work
        finally:
            if not self._goes_on:
                self._queue.leave()

    async def _log_in(self, admit: Admit) -> None:
        session, node = self._session, self._node
        if not session.arriving:  # gone when its turn had just come
            return
        self._changes = node.standing.changes
        try:
            admission = await admit(self._connect, session.address)
        except Refusal as refusal:
            session.refuse(refusal)
        except StoreUnavailable:
            session.refuse(Refusal(pb.UNAVAILABLE, NO_STORE))
        except Exception:
            session.fail()
            raise
        else:
            if admission is not None:
                await self._take_over(admission)
            else:
                node.scheduler.soon(lambda: self._enter(node.password_logins, self._check))

    async def _take_over(self, admission: Admission) -> None:
        """End the device's older connection; once that is told, and what it had sent is stored, open this one."""
        session, node = self._session, self._node
        if not session.arriving:  # gone while the password was being checked
            return
        session.user, session.device_name = admission.user.id, intern(self._connect.device)  # few differ
        others = [other for other in node.registry.holders(session.user, session.device_name) if other is not session]
        if any(other.connect_number > session.connect_number for other in others):  # who came while this one was checked
            session.end(pb.REPLACED, REPLACED)
            return
        if admission.device is not None and self._still_holds(admission):
            await self._open_as(admission, admission.device, has_conversations=admission.has_conversations)
            return
        session.outbound.commit = node.commit.of(session.user)
        for older in others:
            older.end(pb.REPLACED, REPLACED)
        node.registry.opens(session)
        if admission.device is None and not node.store.shared:
            session.commit.expect(admission.user.id, self._connect.device, display_text(self._connect.client))
        self._goes_on = True
        go = lambda: self._go(self._open(admission))  # noqa: E731
        session.commit.write_cursors_of(session.user)
        session.commit.then(lambda _: node.holding.when_settled(session.user, session.device_name, go))

    def _still_holds(self, admission: Admission) -> bool:
        """Whether the store would say the same of the device again, and has nothing to note of it."""
        session, node = self._session, self._node
        return (
            self._at_once
            and admission.client == display_text(self._connect.client)
            and session.commit is node.commit.of(session.user)  # the one that was waited for
            and not session.commit.collects_of(session.user)
            and node.registry.of_device(session.user, session.device_name) is None  # nor one that ends
            and not node.registry.holders(session.user, session.device_name)
        )

    async def _open(self, admission: Admission) -> None:
        session, node = self._session, self._node
        if not session.arriving:  # gone while the older one was ending
            return
        try:
            client, now_ms = display_text(self._connect.client), node.scheduler.now_ms()
            device = await node.holding.open_device(session, client, now_ms)
        except StoreUnavailable:
            session.refuse(Refusal(pb.UNAVAILABLE, NO_STORE))
            return
        except Exception:
            session.fail()
            raise
        if device is None or not session.arriving:
            return
        if device.kicked_ms != admission.kicked_ms:  # while the token was being checked, which may be dead now
            session.end(pb.KICKED, KICKED)
            return
        await self._open_as(admission, device, has_conversations=True)

    async def _open_as(self, admission: Admission, device: Device, *, has_conversations: bool) -> None:
        session, node = self._session, self._node
        session.open(admission, device, node.scheduler.now_ms())
        if has_conversations:
            try:
                await node.seating.seat(session.outbound.inbox)
                await session.look()
                await node.standing.recheck_since(self._changes, session)
            except StoreUnavailable:
                session.end(pb.SERVER_SHUTDOWN, NO_STORE)
                return
            except Exception:
                session.fail()
                raise
        else:
            node.registry.seat(session.outbound.inbox, ())
        session.go_on()
