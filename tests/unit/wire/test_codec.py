"""Protobuf is the reference: what is read and written here is what it reads and writes."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rockdove.core.records.message import counts
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.errors import ProtocolError
from tests.unit.wire.frames import EDGES, chats, damaged, send_frame, u64, user_names, words

places = st.one_of(st.sampled_from(EDGES[:-2]), st.integers(0, 2**63 - 1))


# ---------------------------------------------------------------- decode


def key(number: int, wire_type: int, spare: int) -> bytes:
    """A field's key, with `spare` bytes more than it needs."""
    data = bytearray(codec.varint(number << 3 | wire_type))
    for _ in range(spare):
        data[-1] |= 128
        data.append(0)
    return bytes(data)


@st.composite
def fields(draw: st.DrawFn, depth: int = 0) -> tuple[bytes, int]:
    """One field of a Command, known or not, and how many commands it is."""
    number = draw(st.one_of(st.integers(1, 12), st.sampled_from([100, 2**20, 2**29 - 1])))
    wire_type = draw(st.sampled_from([0, 1, 2, 2, 2, 3, 5]))
    spare = draw(st.integers(0, 1)) if number < 100 else 0
    if wire_type == 0:
        value = codec.varint(1 if number == 1 else draw(u64))
    elif wire_type == 1:
        value = draw(st.binary(min_size=8, max_size=8))
    elif wire_type == 5:
        value = draw(st.binary(min_size=4, max_size=4))
    elif wire_type == 2:
        content = b"" if number in range(3, 10) else draw(st.binary(max_size=20))
        value = codec.varint(len(content)) + content
    else:
        inner = draw(st.lists(fields(depth + 1), max_size=2)) if depth < 3 else []
        value = b"".join(data for data, _ in inner) + key(number, 4, 0)
    return key(number, wire_type, spare) + value, int(wire_type == 2 and 3 <= number <= 9)


@settings(max_examples=1_000)
@given(st.lists(fields(), max_size=4))
def test_a_frame_is_exactly_one_command_beside_any_unknown_fields(content: list[tuple[bytes, int]]) -> None:
    frame = b"".join(data for data, _ in content)
    count = sum(commands for _, commands in content)
    try:
        pb.Command.FromString(frame)
    except DecodeError:
        assume(False)
    if count == 1:
        command, kind = codec.decode(frame)
        assert command.HasField(kind)
    else:
        with pytest.raises(ProtocolError) as caught:
            codec.decode(frame)
        assert caught.value.code == pb.PROTOCOL_ERROR


@settings(max_examples=1_000)
@given(st.one_of(st.binary(max_size=60), damaged(st.builds(send_frame, u64, user_names, words))))
def test_any_bytes_are_a_command_or_a_protocol_error(frame: bytes) -> None:
    try:
        command, kind = codec.decode(frame)
    except ProtocolError as error:
        code = error.code
    else:
        assert command.HasField(kind)
        return
    assert code == pb.PROTOCOL_ERROR


# ---------------------------------------------------------------- canonical


messages = st.builds(
    pb.Message,
    type=st.sampled_from([*pb.MessageType.values(), 77]),
    payload=st.binary(max_size=50),
    to=user_names,
    chat=st.sampled_from([0, 1, 9]),
    reply_to=u64,
    mentions=st.lists(user_names, max_size=3),
)
later_fields = st.sampled_from([b"", b"\xc2\x3e\x02hi", b"\xa0\x06\x05\xc2\x3e\x00"])  # of a version that is not known yet


@given(messages, later_fields, user_names, u64, places, st.integers(0, 2**62))
def test_the_servers_fields_are_no_content_and_everything_else_is(
    message: pb.Message, later: bytes, sender: str, msgid: int, seq: int, timestamp: int
) -> None:
    plain = message.SerializeToString(deterministic=True) + later
    forged = pb.Message.FromString(plain)
    fields = {"msgid": msgid, "seq": seq, "timestamp": timestamp, "from": sender, "removed": True}
    forged.MergeFrom(pb.Message(**fields, edited=pb.Change(msgid=msgid, payload=b"forged")))
    assert codec.canonical(forged) == plain
    assert codec.canonical(pb.Message.FromString(plain)) == plain


def test_the_order_of_fields_is_no_content() -> None:
    fields = [b"\x12\x03\x0a\x01x", b"\x1a\x03bob", b"\x29" + b"\x07" * 8]
    assert len({codec.canonical(pb.Message.FromString(b"".join(order))) for order in (fields, fields[::-1])}) == 1


# ---------------------------------------------------------------- changed messages


stored_messages = st.builds(
    pb.Message,
    type=st.sampled_from(pb.MessageType.values()),
    payload=st.binary(max_size=50),
    to=user_names,
    chat=chats,
    reply_to=u64,
    mentions=st.lists(user_names, max_size=3),
    msgid=u64,
    seq=places,
    timestamp=st.integers(0, 2**50),
)
changes = st.builds(pb.Change, msgid=u64, type=st.sampled_from([pb.TXT, pb.IMAGE]), payload=st.binary(max_size=50))


@given(stored_messages, later_fields, user_names, changes)
def test_a_tombstone_keeps_who_wrote_to_whom_and_the_place_and_nothing_else(
    message: pb.Message, later: bytes, sender: str, change: pb.Change
) -> None:
    setattr(message, "from", sender)
    message.edited.CopyFrom(change)
    left = pb.Message.FromString(codec.tombstone(message.SerializeToString() + later))
    place = {"msgid": message.msgid, "seq": message.seq, "timestamp": message.timestamp}
    expected = pb.Message(type=message.type, to=message.to, chat=message.chat, removed=True, **place, **{"from": sender})
    assert left == expected
    assert left.SerializeToString() == expected.SerializeToString(), "unknown fields may hold content, too"


@given(stored_messages)
def test_a_tombstone_of_a_tombstone_is_the_same(message: pb.Message) -> None:
    once = codec.tombstone(message.SerializeToString())
    assert codec.tombstone(once) == once


@given(stored_messages, later_fields, changes, changes)
def test_an_edited_message_keeps_its_own_content_and_carries_the_newest_edit_alone(
    message: pb.Message, later: bytes, first: pb.Change, second: pb.Change
) -> None:
    record = message.SerializeToString() + later
    edited = codec.with_edit(codec.with_edit(record, first), second)
    expected = pb.Message.FromString(record)
    expected.edited.CopyFrom(second)
    assert pb.Message.FromString(edited) == expected


@given(stored_messages, changes)
def test_whether_a_message_counts_as_unread_can_still_be_told_from_what_became_of_it(
    message: pb.Message, change: pb.Change
) -> None:
    record = message.SerializeToString()
    expected = message.type not in {pb.RECALL, pb.EDIT, pb.REACTION, pb.NOTICE}
    assert counts(record) == counts(codec.with_edit(record, change)) == counts(codec.tombstone(record)) == expected


# ---------------------------------------------------------------- writing


def unframed(data: bytes) -> pb.Command:
    """The one command in it; its length is written in the shortest way."""
    size = 1
    while data[size - 1] > 127:
        size += 1
    command = data[size:]
    assert data[:size] == codec.varint(len(command))
    return pb.Command.FromString(command)


@given(st.integers(0, 2**64 - 1))
def test_a_varint_is_what_protobuf_writes(value: int) -> None:
    assert pb.Sent.FromString(b"\x10" + codec.varint(value)).seq == value
    if value:
        assert pb.Sent(seq=value).SerializeToString() == b"\x10" + codec.varint(value)


@given(u64, u64, places, st.integers(0, 2**50))
def test_an_answer_to_a_message_says_what_it_should(seqid: int, msgid: int, seq: int, timestamp: int) -> None:
    command = unframed(codec.sent(seqid, msgid, seq, codec.varint(timestamp)))
    response = command.response
    assert command == pb.Command(version=1, response=response)
    assert (response.code, response.reason, response.seqid) == (pb.OK, "", seqid)
    assert pb.Sent.FromString(response.payload) == pb.Sent(msgid=msgid, seq=seq, timestamp=timestamp)


@pytest.mark.parametrize("seq", EDGES[:-2])
@pytest.mark.parametrize("seqid", EDGES)
def test_an_answer_is_right_at_every_edge(seqid: int, seq: int) -> None:
    for timestamp in (1_700_000_000_000, 2**41 - 1, 2**42):
        response = unframed(codec.sent(seqid, 2**63, seq, codec.varint(timestamp))).response
        assert response.seqid == seqid
        assert pb.Sent.FromString(response.payload) == pb.Sent(msgid=2**63, seq=seq, timestamp=timestamp)


@given(messages, user_names, u64, places, st.integers(0, 2**50))
def test_a_record_is_the_senders_message_with_the_servers_fields(
    message: pb.Message, sender: str, msgid: int, seq: int, timestamp: int
) -> None:
    body = codec.canonical(message)
    stored = codec.record(body, codec.sender_field(sender), msgid, seq, codec.varint(timestamp))
    assert stored.startswith(body)
    expected = pb.Message.FromString(body)
    expected.MergeFrom(pb.Message(msgid=msgid, seq=seq, timestamp=timestamp, **{"from": sender}))
    assert pb.Message.FromString(stored) == expected


@given(st.one_of(st.binary(min_size=30, max_size=300), st.integers(16_000, 70_000).map(bytes)), u64)
def test_a_push_carries_a_record_and_asks_for_its_ack(record: bytes, msgid: int) -> None:
    command = unframed(codec.push(record, msgid))
    request = pb.Request(type=pb.MESSAGE, payload=record, seqid=msgid)
    assert command == pb.Command(version=1, request=request)


@pytest.mark.parametrize("size", [*range(80, 140), *range(16_340, 16_400), 2_097_100, 2_097_160])
def test_a_push_is_right_around_the_lengths_of_varints(size: int) -> None:
    for msgid in (0, 1 << 63):
        assert unframed(codec.push(b"x" * size, msgid)).request == pb.Request(payload=b"x" * size, seqid=msgid)


@given(u64, st.binary(max_size=300), st.sampled_from(pb.Code.values()), words)
def test_other_frames_are_what_protobuf_writes(seqid: int, payload: bytes, code: int, reason: str) -> None:
    assert unframed(codec.response(seqid, payload, code, reason)).response == pb.Response(
        seqid=seqid, payload=payload, code=code, reason=reason
    )
    assert unframed(codec.event(pb.RECEIPT, payload)).request == pb.Request(type=pb.RECEIPT, payload=payload)
    assert unframed(codec.disconnect(code, reason)).disconnect == pb.Disconnect(code=code, reason=reason)


@given(st.integers(0, 2**63 - 1))
def test_the_answer_to_a_heartbeat_is_what_protobuf_writes(time: int) -> None:
    assert unframed(codec.pong(time)).pong == pb.Pong(server_time=time)


@given(user_names, places.filter(bool))
def test_a_delivered_receipt_is_what_protobuf_writes(user: str, seq: int) -> None:
    receipt = pb.Receipt(kind=pb.Receipt.DELIVERED, peer=user, seq=seq, user=user)
    assert codec.delivered(user, seq) == codec.event(pb.RECEIPT, receipt.SerializeToString())


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), u64.filter(bool)), max_size=8))
def test_pushes_together_are_those_of_each(messages: list[tuple[bytes, int]]) -> None:
    records, msgids = [record for record, _ in messages], [msgid for _, msgid in messages]
    requests = [pb.Request(payload=record, seqid=msgid) for record, msgid in messages]
    assert codec.pushes(records, msgids) == b"".join(
        codec.frame(pb.Command(version=1, request=request)) for request in requests
    )
