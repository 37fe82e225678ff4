"""The SDK for programs without asyncio: the same verbs, on a loop in a background thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Protocol, Self, TypeVar

from rockdove.client.client import Client
from rockdove.client.contacts import Contacts
from rockdove.client.devices import Devices
from rockdove.client.events import Event
from rockdove.client.groups import Groups
from rockdove.client.message import Message
from rockdove.client.posting import Posting
from rockdove.client.presence import Presence
from rockdove.client.users import Users

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


class _Waiter(Protocol):
    def __call__(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of `work`, done in the background thread."""


class _Blocking:
    """Something asynchronous, and how to wait for it."""

    def __init__(self, target: Any, wait: _Waiter) -> None:
        self._target = target
        self._wait = wait


def _waiting(
    verb: Callable[Concatenate[Any, _P], Coroutine[Any, Any, _Result]],
) -> Callable[Concatenate[_Blocking, _P], _Result]:
    """`verb` of the target, which is waited for."""

    @wraps(verb)
    def call(self: _Blocking, /, *arguments: _P.args, **named: _P.kwargs) -> _Result:
        return self._wait(verb(self._target, *arguments, **named))

    return call


def _calling(verb: Callable[Concatenate[Any, _P], _Result]) -> Callable[Concatenate[_Blocking, _P], _Result]:
    """`verb` of the target, which does not wait, called where the target lives."""

    @wraps(verb)
    def call(self: _Blocking, /, *arguments: _P.args, **named: _P.kwargs) -> _Result:
        async def there() -> _Result:
            return verb(self._target, *arguments, **named)

        return self._wait(there())

    return call


def _each(
    verb: Callable[Concatenate[Any, _P], AsyncIterator[_Result]],
) -> Callable[Concatenate[_Blocking, _P], Iterator[_Result]]:
    """The items of an iterating `verb` of the target, as they are wanted."""

    @wraps(verb)
    def call(self: _Blocking, /, *arguments: _P.args, **named: _P.kwargs) -> Iterator[_Result]:
        items = verb(self._target, *arguments, **named)
        end = object()

        async def following() -> Any:
            return await anext(items, end)

        while (item := self._wait(following())) is not end:
            yield item

    return call


class BlockingGroups(_Blocking):
    """Groups, without await."""

    create = _waiting(Groups.create)
    info = _waiting(Groups.info)
    join = _waiting(Groups.join)
    leave = _waiting(Groups.leave)
    invite = _waiting(Groups.invite)
    kick = _waiting(Groups.kick)
    dissolve = _waiting(Groups.dissolve)
    update = _waiting(Groups.update)
    set_role = _waiting(Groups.set_role)
    mute = _waiting(Groups.mute)
    members = _each(Groups.members)
    mine = _each(Groups.mine)
    requests = _each(Groups.requests)
    accept = _waiting(Groups.accept)
    refuse = _waiting(Groups.refuse)


class BlockingContacts(_Blocking):
    """Contacts, without await."""

    add = _waiting(Contacts.add)
    accept = _waiting(Contacts.accept)
    decline = _waiting(Contacts.decline)
    remove = _waiting(Contacts.remove)
    block = _waiting(Contacts.block)
    unblock = _waiting(Contacts.unblock)
    list = _waiting(Contacts.list)


class BlockingPresence(_Blocking):
    """Presence, without await."""

    set = _waiting(Presence.set)
    typing = _waiting(Presence.typing)
    query = _waiting(Presence.query)


class BlockingUsers(_Blocking):
    """Users, without await."""

    get = _waiting(Users.get)
    find = _waiting(Users.find)
    update = _waiting(Users.update)


class BlockingDevices(_Blocking):
    """Devices, without await."""

    list = _waiting(Devices.list)
    kick = _waiting(Devices.kick)


class BlockingPosting(_Blocking):
    """A message on its way."""

    done = _calling(Posting.done)
    wait = _waiting(Posting.wait)

    @property
    def message(self) -> Message:
        """Posting.message"""
        message: Message = self._target.message
        return message


class BlockingClient(_Blocking):
    """Client without await: `with BlockingClient("127.0.0.1:5181", user="alice", token="…") as client`.

    Takes the arguments of Client; its methods do, raise and return what those of Client do. They may be called from any thread.
    """

    def __init__(self, server: str | Sequence[str] = "127.0.0.1:5181", **arguments: Any) -> None:
        client = Client(server, **arguments)
        super().__init__(client, self._wait_for)
        self.user: Final = client.user
        self.groups: Final = BlockingGroups(client.groups, self._wait)
        self.contacts: Final = BlockingContacts(client.contacts, self._wait)
        self.presence: Final = BlockingPresence(client.presence, self._wait)
        self.users: Final = BlockingUsers(client.users, self._wait)
        self.devices: Final = BlockingDevices(client.devices, self._wait)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"rockdove-{client.user}", daemon=True)

    def _wait_for(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("the client is not started, or closed: use `with`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C in this thread
            raise

    # ---------------------------------------------------------------- life

    def __enter__(self) -> Self:
        if self._thread.ident:
            raise RuntimeError("the client was started already: make another one to come back")
        self._thread.start()
        try:
            self._wait(self._target.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye to the server and let go. May be called twice."""
        if self._thread.is_alive():
            self._wait(self._target.close())
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---------------------------------------------------------------- sending

    _post = _calling(Client.post)

    @wraps(Client.post)
    def post(self, *arguments: Any, **named: Any) -> BlockingPosting:
        return BlockingPosting(self._post(*arguments, **named), self._wait)

    send = _waiting(Client.send)
    reply = _waiting(Client.reply)
    recall = _waiting(Client.recall)
    edit = _waiting(Client.edit)
    react = _waiting(Client.react)
    unreact = _waiting(Client.unreact)
    send_transient = _waiting(Client.send_transient)
    unsent = _calling(Client.unsent)
    flush = _waiting(Client.flush)

    # ---------------------------------------------------------------- receiving

    next_event = _waiting(Client.next_event)
    acknowledge = _calling(Client.acknowledge)
    read = _waiting(Client.read)

    def events(self, *, timeout: float | None = None, acknowledge: bool = True) -> Iterator[Event]:
        """Client.events; ends when nothing happened for `timeout` seconds."""
        try:
            while event := self.next_event(timeout=timeout, acknowledge=acknowledge):
                yield event
        except TimeoutError:
            return

    # ---------------------------------------------------------------- looking back

    history = _waiting(Client.history)
    conversations = _each(Client.conversations)
    search = _each(Client.search)
    readers = _waiting(Client.readers)
    delete = _waiting(Client.delete)
    clear = _waiting(Client.clear)
    request = _waiting(Client.request)
