"""One connection from Connect to Disconnect: whose turn it is, the order of answers, the heartbeat."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from rockdove.core.commit import GroupCommit
from rockdove.core.delivery.outbound import Outbound
from rockdove.core.delivery.window import NEVER
from rockdove.core.empty import EMPTY
from rockdove.core.errors import REUSED_SEQID, Refusal, StoreUnavailable
from rockdove.core.login import Admission
from rockdove.core.opening import Opening
from rockdove.core.plain import Route, take_plain
from rockdove.core.ports import Link, Permit
from rockdove.core.quota import MessageRate
from rockdove.core.records import Device, Draft, DraftRun, Outcome, Tenant
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import ProtocolError, broken
from rockdove.wire.framing import FrameDecoder
from rockdove.wire.limits import FRAME_BYTES_BEFORE_LOGIN, FRAME_FINISH_MS, LOGIN_MS, STALLED_READER_MS
from rockdove.wire.plain import SCANNERS

if TYPE_CHECKING:
    from rockdove.core.node import Node

FRAMES_PER_TURN: Final = 512  # of one session, so that a flood delays the others by some ms at most
SEEN_MS: Final = 6 * 3_600_000  # how often it is stored that a device is still here
OVERTAKING_MS: Final = 3_000  # how long a message that could not be stored holds up those after it
LINGER_MS: Final = 2_000  # for the last frame to leave
OUR_FAULT: Final = "the server made a mistake with this connection: reconnect"
NOT_STORED: Final = "the message was not stored: send it again with the same seqid"


class State(Enum):
    """The life of a session; it only goes downwards."""

    AWAITING_LOGIN = auto()
    LIVE = auto()
    ENDING = auto()  # nothing more is read; what was taken is finished
    CLOSED = auto()


class Session:
    """The server's side of one connection. Bytes come in by `receive`, and go out through `outbound`."""

    __slots__ = (
        "_begun_ms",
        "_decoder",
        "_heard_ms",
        "_input_paused",
        "_link",
        "_look_due",
        "_looked_ms",
        "_looking",
        "_missing",
        "_node",
        "_opening",
        "_reading",
        "_seen_ms",
        "_stalled_ms",
        "_state",
        "_waiting",
        "address",
        "check_ms",
        "check_slot",
        "connect_number",
        "connected_ms",
        "credential_version",
        "device_name",
        "kicked_ms",
        "login",
        "name",
        "outbound",
        "rate",
        "routes",
        "sender_field",
        "tenant",
        "texts",
        "uncommitted",
        "user",
    )

    tenant: Tenant
    sender_field: bytes

    def __init__(self, node: "Node", link: Link, address: str, now_ms: int) -> None:
        self._node = node
        self._link = link
        self.address = address
        self._decoder = FrameDecoder(FRAME_BYTES_BEFORE_LOGIN)
        self.outbound = Outbound(link, node.commit.of(0), node.store, node.scheduler, node.settings.window, self)
        self._state = State.AWAITING_LOGIN
        self._heard_ms = now_ms
        self._seen_ms = now_ms
        self._begun_ms = NEVER  # when the unfinished frame began
        self._stalled_ms = NEVER  # when the client stopped reading
        self._opening: Opening | None = None  # the login, while it is under way
        self._waiting = False  # a request is being served: later ones wait
        self._reading = False
        self._look_due = False  # a heartbeat came since the last look into the store
        self._looking = False
        self._looked_ms = NEVER  # when it last looked; only of interest where other nodes write to the store
        self._input_paused = False
        self.uncommitted = 0  # messages taken and not yet answered
        self._missing: tuple[int, int] | None = None  # by seqid, and until when (ms)
        self.user = 0
        self.name = ""
        self.credential_version = 0
        self.device_name = ""
        self.kicked_ms = 0  # when the device had been kicked last before it logged in
        self.connect_number = 0  # of its Connect, among those of the node
        self.connected_ms = now_ms  # when that came
        self.login = 0  # the number of this login of the device, in a shared store
        self.rate: MessageRate | None = None
        self.routes: dict[bytes, Route] = EMPTY  # by plain.receiver; another dict makes all be asked again
        self.texts = SCANNERS[0]  # the one that the last text was for
        self.check_ms = NEVER
        self.check_slot = -1
        node.deadlines.watch(self, now_ms + LOGIN_MS)

    @property
    def commit(self) -> GroupCommit:
        """The lane of its user; before the login any."""
        return self.outbound.commit

    @property
    def arriving(self) -> bool:
        """Whether the client is still to be logged in."""
        return self._state is State.AWAITING_LOGIN

    @property
    def live(self) -> bool:
        """Whether the client is logged in and nobody has ended the session."""
        return self._state is State.LIVE

    # -- input

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take the next bytes of the connection. Never raises."""
        if self._state is State.ENDING or self._state is State.CLOSED:
            return
        self._heard_ms = now_ms
        self._decoder.feed(data)
        if not self._waiting and not self._reading:
            self._read()
        else:
            self._regulate()

    def go_on(self) -> None:
        """The request that was being served is answered, or safely queued: read the next."""
        self._waiting = False
        if not self._reading:
            self._read()

    def _read(self) -> None:
        if self._state is State.ENDING or self._state is State.CLOSED:
            return
        self._reading = True
        try:
            self._read_frames()
        except ProtocolError as error:
            self.end(error.code, error.reason)
        except Exception:
            self._node.log.exception("session_failed", user=self.name)
            self.fail()
        finally:
            self._reading = False
        if self._waiting or self._input_paused or self.outbound.paused:
            self._regulate()

    def _read_frames(self) -> None:
        """Take what was fed, until a request is to be waited for, or for as long as a session's share of a turn lasts."""
        decoder, outbound, now_ms = self._decoder, self.outbound, self._heard_ms
        share = left = FRAMES_PER_TURN - self.uncommitted
        while True:
            if outbound.live:
                left -= take_plain(self, decoder, left, now_ms)
            if left <= 0:
                self._next_turn()
                return
            frame = decoder.next_frame()
            if frame is None:
                break
            left -= 1
            self._take(*codec.decode(frame))
            if self._waiting or not outbound.live:
                return
        if decoder.unfinished or self._begun_ms != NEVER:
            self._note_unfinished(left < share)

    def _take(self, command: pb.Command, kind: str) -> None:
        turn = _TURNS.get((self._state, kind))
        if turn is None:
            if self._state is State.AWAITING_LOGIN:
                raise ProtocolError(pb.LOGIN_REQUIRED, "the first frame is a Connect: log in")
            raise broken(f"a {kind} is out of turn here")
        turn(self, command)

    def _next_turn(self) -> None:
        self._waiting = True
        self.commit.then(lambda _: self.go_on())

    def _note_unfinished(self, frames_before: bool) -> None:
        if not self._decoder.unfinished:
            self._begun_ms = NEVER
        elif frames_before or self._begun_ms == NEVER:
            self._begun_ms = self._heard_ms
            self.check_by(self._begun_ms + FRAME_FINISH_MS)

    def _regulate(self) -> None:
        """Read from the network no faster than requests are served and answers are read (protocol §4, §8)."""
        pause = self.outbound.paused or (self._waiting and self._decoder.waiting)
        if pause != self._input_paused:
            self._input_paused = pause
            if pause:
                self._link.pause_reading()
            else:
                self._link.resume_reading()

    # -- login

    def _log_in(self, command: pb.Command) -> None:
        self._waiting = True
        self.connect_number, self.connected_ms = self._node.registry.next_connect(), self._heard_ms
        self._opening = Opening(self._node, self, command.connect)
        self._opening.begin()

    def open(self, admission: Admission, device: Device, now_ms: int) -> None:
        """The login succeeded: tell the client, and everybody here who writes to it."""
        node = self._node
        tenant, user = admission.tenant, admission.user
        self._opening = None
        self.name = user.name
        self.sender_field = codec.sender_field(user.name)
        self.credential_version = user.credential_version
        self.kicked_ms, self.login = device.kicked_ms, device.login
        self.use_settings_of(tenant, now_ms)
        node.registry.opens_no_more(self)
        # First known to the fan-out, then the look at the backlog: nothing can fall between.
        self.outbound.open(node.registry.add(self, user.id, user.name), device.id)
        self._state = State.LIVE
        if node.store.shared:
            self._looked_ms = now_ms
        node.arrivals.discard(self)
        node.login.accepted += 1
        self._decoder.limit = node.settings.max_frame_bytes
        self.outbound.write(node.welcome(tenant, user, self.device_name, device, now_ms))
        self.commit.see(device.id)
        node.deadlines.watch(self, now_ms + node.settings.silence_ms)
        node.log.debug("login", tenant=tenant.id, user=user.id, device=device.id)

    def use_settings_of(self, tenant: Tenant, now_ms: int) -> None:
        """The tenant's settings were read, perhaps anew."""
        self.tenant = tenant
        self.routes = EMPTY
        if self.rate is None or self.rate.per_second != tenant.messages_per_second:
            self.rate = MessageRate(tenant.messages_per_second, now_ms) if tenant.messages_per_second else None

    def refuse(self, refusal: Refusal) -> None:
        """The login failed; harmless after it was given up."""
        if self._state is State.AWAITING_LOGIN:
            self._node.login.refused[refusal.code] += 1
            refused = pb.ConAck(status=pb.STATUS_FAIL, reason=refusal.reason, code=pb.Code.Name(refusal.code))
            self._finish(codec.frame(pb.Command(version=1, conack=refused)))

    # -- live

    def _request(self, command: pb.Command) -> None:
        request = command.request
        self._waiting = True
        if request.type == pb.MESSAGE and not (request.opts and self.uncommitted):
            self._node.scheduler.spawn(self._node.dispatch.serve(self, request))
        else:
            # A transient message must not overtake those sent before it. Everything else shall see them, and may be dear:
            # one in a turn, so that nobody waits for another's flood.
            self.commit.write_cursors_of(self.user)
            self.commit.then(lambda _: self._node.scheduler.spawn(self._node.dispatch.serve(self, request)))

    def answer(self, frame: bytes) -> None:
        """Answer the request that was being served, after the messages sent before it; then read the next."""
        if self.uncommitted:
            self.commit.then(lambda _: self.answer(frame))
            return
        self.outbound.write(frame)
        if self.rate is not None and self.rate.flooding:
            self.end(pb.FLOODING, f"at most {self.rate.per_second} messages a second: slow down")
            return
        self.go_on()

    def draft(self, conversation: int, seqid: int, body: bytes, permit: Permit | None) -> Draft:
        """A message of this session that is to be stored."""
        return Draft(
            self.tenant.id, conversation, self.user, self.sender_field, self.outbound.device, seqid, body, self, permit
        )

    def committed(self, drafts: Sequence[Draft]) -> None:
        """Messages of this session are durable; or one was found to be a retry, or refused: answer."""
        draft = drafts[0]
        if draft.refusal is not None and draft.refusal.code == pb.UNAVAILABLE:
            self.not_stored(draft)
            return
        self.uncommitted -= len(drafts)
        if draft.outcome is Outcome.CONFLICT:
            self.outbound.write(codec.response(draft.seqid, code=pb.ALREADY_EXISTS, reason=REUSED_SEQID))
        elif draft.refusal is not None:
            self.outbound.write(codec.response(draft.seqid, code=draft.refusal.code, reason=draft.refusal.reason))
        else:
            self.outbound.write(draft.sent() if len(drafts) == 1 else b"".join([draft.sent() for draft in drafts]))

    def committed_run(self, run: DraftRun) -> None:
        """Messages of this session are durable: answer."""
        self.uncommitted -= len(run)
        self.outbound.write(run.sent())

    def not_stored(self, draft: Draft) -> None:
        """A message of this session could not be stored."""
        self.uncommitted -= 1
        if self._missing is None:
            self._missing = draft.seqid, self._node.scheduler.now_ms() + OVERTAKING_MS
            self.routes = EMPTY  # each is looked at
        self.outbound.write(codec.response(draft.seqid, code=pb.UNAVAILABLE, reason=NOT_STORED))

    def in_turn(self, seqid: int, now_ms: int) -> bool:
        """Whether a message may be stored now: none may overtake one that could not be, and that the client sends again.

        Those that it had sent before it read of that are turned away, too; the one it sends again shows that it has.
        """
        if self._missing is not None:
            missing, until_ms = self._missing
            if (seqid != missing or not seqid) and now_ms < until_ms:
                return False
            self._missing = None
        return True

    def _response(self, command: pb.Command) -> None:
        if command.response.code != pb.OK:
            return
        msgid = command.response.seqid
        if msgid:
            self.outbound.ack((msgid,), self._heard_ms)
        else:
            self.outbound.ack_oldest(self._heard_ms)

    def _ping(self, _: pb.Command) -> None:
        self.commit.write_cursors_of(self.user)
        self.outbound.write(codec.pong(self._node.scheduler.now_ms()))
        self._look_soon()

    def _look_soon(self) -> None:
        self._look_due = True
        if not self._looking:
            self._looking = True
            self._node.scheduler.soon(lambda: self._node.scheduler.spawn(self._look_while_due()))

    async def _look_while_due(self) -> None:
        """One look for all the heartbeats of a turn, and one at a time."""
        try:
            while self._look_due and self.live:
                self._look_due = False
                await self.look()
                if self._node.store.shared:
                    self._looked_ms = self._node.scheduler.now_ms()
                    await self._node.standing.recheck_device(self)  # the ring that tells of it may have been missed
        except StoreUnavailable:
            pass  # the next heartbeat looks
        finally:
            self._looking = False

    async def look(self) -> None:
        """Look in the store for whatever this device has not got (protocol §5 Backlog, Heartbeat)."""
        try:
            owed = await self._node.store.owed(self.user, self.outbound.device)
            await self._node.seating.seat_for(self.outbound.inbox, owed)
        except StoreUnavailable:
            return
        for conversation in owed:
            self.outbound.owe_as_found(conversation)

    # -- output that does not flow

    def pause_writing(self, now_ms: int) -> None:
        """The client does not read what it was sent: push no more."""
        self.outbound.paused = True
        self._stalled_ms = now_ms
        self.check_by(now_ms + STALLED_READER_MS)
        self._regulate()

    def resume_writing(self) -> None:
        """The client reads again: go on from where we stopped."""
        self.outbound.paused = False
        self._stalled_ms = NEVER
        self.outbound.touch()
        self._regulate()

    # -- time

    def check_by(self, at_ms: int) -> None:
        """See to it that `check` is called soon after `at_ms`."""
        if at_ms < self.check_ms:
            self._node.deadlines.watch(self, at_ms)

    def check(self, now_ms: int) -> None:
        """Something may be due."""
        if self._state is State.AWAITING_LOGIN:
            if not self._waiting:
                self.end(pb.LOGIN_REQUIRED, f"no Connect came within {LOGIN_MS // 1000} s")
            return
        if self._state is not State.LIVE:
            return
        silence_ms = self._node.settings.silence_ms
        if now_ms - self._heard_ms >= silence_ms and not self._input_paused:
            self.end(pb.HEARTBEAT_TIMEOUT, f"nothing was heard for {silence_ms // 1000} s: reconnect")
        elif now_ms - self._begun_ms >= FRAME_FINISH_MS:
            self.end(pb.PROTOCOL_ERROR, f"a frame was begun and not finished within {FRAME_FINISH_MS // 1000} s")
        elif now_ms - self._stalled_ms >= STALLED_READER_MS:
            self.end(pb.TOO_SLOW, f"nothing was read for {STALLED_READER_MS // 1000} s: reconnect")
        else:
            if now_ms - self._seen_ms >= SEEN_MS:
                self._seen_ms = now_ms
                self.commit.see(self.outbound.device)
            if not self.outbound.paused:
                self.outbound.push_again(now_ms)
            if now_ms - self._looked_ms >= self._node.settings.look_ms:
                self._looked_ms = now_ms
                self._look_soon()
            due = (
                self._looked_ms + self._node.settings.look_ms,
                self._heard_ms + silence_ms,
                self._begun_ms + FRAME_FINISH_MS,
                self._stalled_ms + STALLED_READER_MS,
                self.outbound.window.next_repush_ms,
            )
            self._node.deadlines.watch(self, max(min(due), now_ms + 1))

    # -- the end

    def end(self, code: int, reason: str) -> None:
        """End the session with a Disconnect, once what it has sent is answered."""
        self._finish(codec.disconnect(code, reason))

    def fail(self) -> None:
        """End the session: we made a mistake."""
        self.end(pb.SERVER_SHUTDOWN, OUR_FAULT)

    def _goodbye(self, _: pb.Command) -> None:
        self._finish(b"")

    def _finish(self, last: bytes) -> None:
        if self._state is State.ENDING or self._state is State.CLOSED:
            return
        self._leave(State.ENDING)

        def close(_: Exception | None) -> None:
            if last:
                self.outbound.write(last)
            self.outbound.write_out()
            self._node.registry.remove(self, self.user)  # not earlier: who takes over waits for this
            self._link.close()
            self._node.scheduler.later(LINGER_MS, self._link.abort)

        self.commit.then(close)

    def link_lost(self) -> None:
        """The connection is gone. What was taken from it is still stored."""
        self._leave(State.CLOSED)
        self._node.deadlines.forget(self)
        self._node.registry.remove(self, self.user)
        self.outbound.link_lost()

    def _leave(self, state: State) -> None:
        if self._state is State.LIVE:
            self.commit.see(self.outbound.device)
            self.commit.write_seen()  # others may ask how long ago it was
            self.commit.write_cursors_of(self.user)  # it may come again on another node at once
        self._node.arrivals.discard(self)
        if self._opening is not None:
            self._opening.withdraw()
            self._opening = None
            self._node.registry.opens_no_more(self)
        self._state = state
        self.outbound.live = False


_TURNS: Final[dict[tuple[State, str], Callable[[Session, pb.Command], None]]] = {
    (State.AWAITING_LOGIN, "connect"): Session._log_in,
    (State.AWAITING_LOGIN, "disconnect"): Session._goodbye,
    (State.LIVE, "request"): Session._request,
    (State.LIVE, "response"): Session._response,
    (State.LIVE, "ping"): Session._ping,
    (State.LIVE, "disconnect"): Session._goodbye,
}
