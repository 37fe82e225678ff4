"""Protocol §2: frames."""

import socket
import ssl
from collections.abc import Callable
from contextlib import closing

import pytest

from rockdove.wire import im_pb2 as pb
from tests.protocol.client import PASSWORD, Client
from tests.protocol.real import DEADLINE_SECONDS, Certificate, RealWorld, client_tls
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import World, live
from tests.raw import framed, sending, text_message, text_of

PING = framed(pb.Command(version=1, ping=pb.Ping()))
CONNECT = pb.Command(version=1, connect=pb.Connect(org="default", appkey="default", user="alice", token=PASSWORD))


def ended_with(client: Client, code: int) -> str:
    """The reason why the server has ended the connection, for which it gave `code`."""
    last = client.farewell()
    assert last is not None
    assert pb.DisconnectCode.Name(last.code) == pb.DisconnectCode.Name(code), last
    return str(last.reason)


# ---------------------------------------------------------------- cut and length


def test_a_frame_may_arrive_byte_by_byte(world: World) -> None:
    client = world.connect()
    for byte in framed(CONNECT):
        client.write_bytes(bytes((byte,)))
    assert client.take("conack").status == pb.STATUS_OK


def test_one_read_may_hold_many_frames(world: World, bob: Client) -> None:
    client = world.connect()
    texts = [f"{n}" for n in range(100)]
    frames = [sending(n, text_message("bob", text)) for n, text in enumerate(texts, 1)]
    client.write(CONNECT, *frames)
    assert client.take("conack").status == pb.STATUS_OK
    assert [client.answer(n).code for n in range(1, 101)] == [pb.OK] * 100
    assert [text_of(message) for message in bob.messages()] == texts


def padded(message: pb.Message, frame_bytes: int) -> pb.Command:
    """A request to send `message` whose Command is exactly that long, by a field that nobody knows."""
    base = sending(1, message)
    # Field 1000 of the Message, as a string; a field of its own takes 2 bytes for the key and 3 for the length.
    room = frame_bytes - base.ByteSize()
    for length in range(max(0, room - 16), room):
        data = base.request.payload + b"\xc2\x3e" + varint(length) + b"x" * length
        command = pb.Command(version=1, request=pb.Request(type=pb.MESSAGE, seqid=1, payload=data))
        if command.ByteSize() == frame_bytes:
            return command
    raise AssertionError("there is no such length")


def varint(value: int) -> bytes:
    data = b""
    while value > 127:
        data += bytes((value & 127 | 128,))
        value >>= 7
    return data + bytes((value,))


def test_a_frame_of_the_longest_length_is_read(alice: Client) -> None:
    command = padded(text_message("bob", "x"), 128 * 1024)
    alice.write(command)
    assert alice.take("response").seqid == 1
    assert not alice.pipe.ended


def test_a_longer_frame_ends_the_connection_as_soon_as_its_length_is_known(alice: Client) -> None:
    alice.write_bytes(varint(128 * 1024 + 1))
    assert "131072" in ended_with(alice, pb.FRAME_TOO_LARGE)


def test_the_longest_length_is_the_operators_choice(make_world: Callable[..., World]) -> None:
    world = make_world(max_frame_bytes=5000)
    client = world.connect()
    assert client.login("alice").max_frame_bytes == 5000
    client.write(padded(text_message("bob", "x"), 5000))
    assert client.take("response").seqid == 1
    client.write_bytes(varint(5001))
    ended_with(client, pb.FRAME_TOO_LARGE)


def test_before_login_a_frame_is_at_most_4_kib(world: World) -> None:
    client = world.connect()
    connect = pb.Command(version=1, connect=pb.Connect(org="default", appkey="default", user="alice"))
    connect.connect.token = "x" * (4096 - connect.ByteSize() - 4)
    assert connect.ByteSize() == 4096
    client.write(connect)
    assert client.take("conack").code == pb.UNAUTHENTICATED

    client = world.connect()
    client.write_bytes(varint(4097))
    ended_with(client, pb.FRAME_TOO_LARGE)


def test_a_frame_that_follows_the_connect_at_once_may_be_longer_than_4_kib(world: World) -> None:
    client = world.connect()
    client.write(CONNECT, sending(7, text_message("bob", "x" * 10_000)))
    assert client.take("conack").status == pb.STATUS_OK
    assert client.answer(7).code == pb.OK


def test_a_length_of_zero_ends_the_connection(alice: Client) -> None:
    alice.write_bytes(b"\0")
    ended_with(alice, pb.PROTOCOL_ERROR)


def test_a_length_of_five_bytes_is_read_though_it_need_not_be_so_long(alice: Client) -> None:
    ping = PING[1:]
    alice.write_bytes(bytes((len(ping) | 128, 128, 128, 128, 0)) + ping)
    assert alice.take("pong")


@pytest.mark.parametrize("prefix", [b"\x84\x80\x80\x80\x80\x00", b"\xff" * 5, b"\xff" * 100])
def test_a_length_of_six_bytes_ends_the_connection(alice: Client, prefix: bytes) -> None:
    alice.write_bytes(prefix)
    ended_with(alice, pb.PROTOCOL_ERROR)


def test_frames_before_the_broken_one_are_carried_out_and_answered(alice: Client, bob: Client) -> None:
    alice.write_bytes(
        framed(sending(1, text_message("bob", "in time"))) + b"\0" + framed(sending(2, text_message("bob", "late")))
    )
    ended_with(alice, pb.PROTOCOL_ERROR)
    assert [command.response.seqid for command in alice.inbox[:-1]] == [1]
    assert [text_of(message) for message in bob.messages()] == ["in time"]


def test_a_frame_begun_must_be_finished_within_30_s(virtual: VirtualWorld) -> None:
    client = live(virtual, "alice")
    client.write_bytes(PING[:-1])
    virtual.clock.advance(29_000)
    assert not client.settle().pipe.ended
    virtual.clock.advance(2_000)
    ended_with(client, pb.PROTOCOL_ERROR)


def test_trickling_bytes_do_not_buy_an_unfinished_frame_more_time(virtual: VirtualWorld) -> None:
    client = live(virtual, "alice")
    client.write_bytes(varint(1000))
    for _ in range(31):
        client.write_bytes(b"\x08")
        virtual.clock.advance(1_000)
    ended_with(client, pb.PROTOCOL_ERROR)


def test_each_frame_has_30_s_of_its_own(virtual: VirtualWorld) -> None:
    client = live(virtual, "alice")
    for _ in range(5):
        client.write_bytes(PING[:-1])
        virtual.clock.advance(20_000)
        client.write_bytes(PING[-1:])
        assert client.take("pong")
        client.write_bytes(PING[:-1])  # the next one begins in the same piece as this one ends
        virtual.clock.advance(20_000)
        client.write_bytes(PING[-1:])
        assert client.take("pong")


# ---------------------------------------------------------------- one command

GROUP = b"\xa3\x06\x1a\x00\xa4\x06"  # field 100, a group that holds a field 3
CONNECT_FIELD = b"\x1a\x00"
PING_FIELD = b"\x42\x00"
RESPONSE_FIELD = b"\x3a\x00"


@pytest.mark.parametrize(
    "frame",
    [
        b"\x08\x01",  # no command
        b"\x12\x02hi",  # nothing but the field that is reserved
        GROUP,
        b"\x40\x01",  # a ping by number, not by type
        PING_FIELD + RESPONSE_FIELD,  # two
        PING_FIELD + PING_FIELD,  # two of the same, which protobuf merges
        b"\xc2\x00\x00" + PING_FIELD,  # likewise, its key written longer than need be
        b"\xff\xff\xff",  # not protobuf
        b"\x32\x7f\x00",  # a length beyond the end
        b"\x32\x04\x12\x7fxx",  # likewise, further inside
        b"\x07",  # no such wire type
        b"\x08\x02" + PING_FIELD,  # version 2
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + PING_FIELD,  # version -1
    ],
    ids=bytes.hex,
)
def test_a_frame_without_exactly_one_command_of_a_known_version_ends_the_connection(alice: Client, frame: bytes) -> None:
    alice.write_bytes(varint(len(frame)) + frame)
    ended_with(alice, pb.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "frame",
    [
        PING_FIELD,  # version 0 is read as 1
        b"\x08\x01" + PING_FIELD,
        b"\x08\x02\x08\x01" + PING_FIELD,  # the last one counts
        b"\x08\x01" + GROUP + PING_FIELD,
        b"\x12\x02hi" + PING_FIELD + b"\xa0\x06\x01",  # the reserved field, and one of the future
    ],
    ids=bytes.hex,
)
def test_unknown_fields_are_ignored(alice: Client, frame: bytes) -> None:
    alice.write_bytes(varint(len(frame)) + frame)
    assert alice.take("pong")


@pytest.mark.parametrize(
    "command",
    [
        pb.Command(connect=CONNECT.connect),
        pb.Command(conack=pb.ConAck()),
        pb.Command(pong=pb.Pong()),
    ],
    ids=["second connect", "conack", "pong"],
)
def test_a_command_out_of_turn_ends_the_connection(alice: Client, command: pb.Command) -> None:
    alice.write(command)
    ended_with(alice, pb.PROTOCOL_ERROR)


# ---------------------------------------------------------------- what is not known here


def test_an_unknown_request_type_is_unimplemented(alice: Client) -> None:
    answer = alice.ask(99, b"")
    assert answer.code == pb.UNIMPLEMENTED
    assert answer.reason
    assert alice.ping()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (pb.MESSAGE, pb.Message(type=99, to="bob")),
        (pb.MESSAGE, pb.Message(type=-1, to="bob")),
        (pb.MESSAGE, pb.Message(chat=99, to="bob")),
        (pb.RECEIPT, pb.Receipt(kind=99, peer="bob", seq=1)),
        (pb.RECEIPT, pb.Receipt(chat=99, peer="bob", seq=1)),
        (pb.SYNC, pb.Sync(pull=pb.Pull(chat=99, peer="bob"))),
        (pb.SYNC, pb.Sync()),
    ],
)
def test_an_unknown_enum_value_is_an_invalid_argument(alice: Client, kind: int, payload: pb.Message) -> None:
    assert alice.ask(kind, payload.SerializeToString()).code == pb.INVALID_ARGUMENT
    assert alice.ping()


@pytest.mark.parametrize("kind", [pb.MESSAGE, pb.SYNC, pb.RECEIPT])
def test_a_payload_that_does_not_parse_is_an_invalid_argument(alice: Client, kind: int) -> None:
    assert alice.ask(kind, b"\xff\xff").code == pb.INVALID_ARGUMENT
    assert alice.ping()


@pytest.mark.parametrize("kind", [pb.MESSAGE, pb.SYNC])
def test_opts_hold_at_most_8_entries(alice: Client, kind: int) -> None:
    payload = {
        pb.MESSAGE: text_message("bob", "x"),
        pb.SYNC: pb.Sync(conversations=pb.ListConversations()),
    }[kind].SerializeToString()
    assert alice.ask(kind, payload, opts=[pb.Option(offline=True)] * 8).code == pb.OK
    assert alice.ask(kind, payload, opts=[pb.Option(offline=True)] * 9).code == pb.INVALID_ARGUMENT
    assert alice.ping()


# ---------------------------------------------------------------- TLS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_2_and_later_are_spoken_and_nothing_older(certificate: Certificate) -> None:
    with closing(RealWorld(MemoryStorage(), certificate)) as world:
        for version, spoken in (
            (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1_2, True),
            (ssl.TLSVersion.TLSv1_3, True),
        ):
            context = client_tls(certificate)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", world.port), DEADLINE_SECONDS) as connection:
                if spoken:
                    context.wrap_socket(connection, server_hostname="127.0.0.1").close()
                else:
                    with pytest.raises((ssl.SSLError, ConnectionError)):
                        context.wrap_socket(connection, server_hostname="127.0.0.1")
