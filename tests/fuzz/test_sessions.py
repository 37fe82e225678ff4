"""Whatever a client sends: a documented answer or end, no fault of the server, and nobody else notices."""

import string
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rockdove.core.msgid import STEP, first_msgid
from rockdove.wire import im_pb2 as pb
from tests.fuzz.sessions import OWN_GROUP, Target
from tests.protocol.changing import GROUP
from tests.protocol.client import PASSWORD
from tests.protocol.virtual import START_MS
from tests.raw import framed

fuzzing = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

msgids = st.integers(0, 9).map(lambda n: first_msgid(START_MS) + n * STEP)  # of what was stored first
u64 = st.one_of(msgids, st.integers(0, 3), st.sampled_from([2**32, 2**63 - 1, 2**63, 2**64 - 1]), st.integers(0, 2**64 - 1))
u32 = st.one_of(st.integers(0, 3), st.sampled_from([200, 201, 2**32 - 1]))
enums = st.one_of(st.integers(0, 11), st.sampled_from([-1, 99, 2**31 - 1]))
people = st.one_of(
    st.sampled_from(["alice", "bob", "carol", "erin", "nobody", "", "@all", GROUP, OWN_GROUP]),
    st.text(string.printable, max_size=70),
    st.text(st.characters(codec="utf-8"), max_size=10),
)
junk = st.binary(max_size=60)


def built(kind: Any, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """The bytes of such a message, with or without unknown fields behind them."""
    unknown = st.sampled_from([b"", b"", b"", b"\xa2\x06\x03abc", b"\xa3\x06\xa4\x06"])
    return st.builds(lambda tail, /, **values: kind(**values).SerializeToString() + tail, unknown, **fields)


contents = st.one_of(
    junk,
    built(pb.MessageTxt, txt=st.text(st.characters(codec="utf-8"), max_size=40)),
    built(pb.MessageTxt, txt=st.integers(16_380, 16_390).map("x".__mul__)),
    built(pb.MessageCustom, kind=people, body=st.one_of(junk, st.integers(65_520, 65_540).map(bytes))),
    built(pb.Change, msgid=u64, type=enums, payload=junk),
    built(pb.Change, msgid=msgids),
    built(pb.Change, msgid=msgids, payload=st.sampled_from([b"\x0a\x03new", b""])),
    built(pb.Reaction, msgid=u64, emoji=people, removed=st.booleans()),
)
message_bytes = st.one_of(
    junk,
    st.builds(
        lambda sender, /, **fields: pb.Message(**fields, **{"from": sender}).SerializeToString(),
        people,
        type=enums,
        payload=contents,
        to=people,
        chat=enums,
        reply_to=u64,
        mentions=st.lists(people, max_size=3),
        msgid=u64,
        seq=u64,
        timestamp=st.integers(-(2**63), 2**63 - 1),
    ),
)
changes = st.builds(  # those that have a chance
    lambda kind, to, msgid: pb.Message(type=kind, payload=pb.Change(msgid=msgid).SerializeToString(), **to).SerializeToString(),
    st.sampled_from([pb.RECALL, pb.EDIT]),
    st.sampled_from([{"to": "bob"}, {"to": GROUP, "chat": pb.GROUP_CHAT}]),
    msgids,
)


@st.composite
def filled(draw: st.DrawFn, kind: type[Message], depth: int = 0) -> Message:
    """Any message of that kind, with at most one field of each oneof."""
    message = kind()
    chosen = {oneof.name: draw(st.sampled_from([field.name for field in oneof.fields])) for oneof in kind.DESCRIPTOR.oneofs}
    for field in kind.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if (chosen[oneof.name] != field.name) if oneof else draw(st.booleans()):
            continue
        held = getattr(message, field.name)
        if isinstance(held, Message):
            if depth < 4:
                held.CopyFrom(draw(filled(type(held), depth + 1)))
                held.SetInParent()
        elif hasattr(held, "items"):
            held.update(draw(st.dictionaries(people, people, max_size=3)))
        elif hasattr(held, "append"):
            if field.message_type is None:
                held.extend(draw(st.lists(VALUES[field.type], max_size=3)))
        else:
            setattr(message, field.name, draw(VALUES[field.type]))
    return message


i64 = st.one_of(st.integers(-1, 1), st.just(START_MS), st.sampled_from([-(2**63), 2**63 - 1]))
VALUES: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: people,
    FieldDescriptor.TYPE_BYTES: junk,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_UINT32: u32,
    FieldDescriptor.TYPE_INT32: enums,
    FieldDescriptor.TYPE_ENUM: enums,
    FieldDescriptor.TYPE_INT64: i64,
    FieldDescriptor.TYPE_UINT64: u64,
    FieldDescriptor.TYPE_FIXED64: u64,
}


def served(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """The payload of a request of that kind, which makes sense or not."""
    return st.one_of(junk, filled(kind).map(lambda message: message.SerializeToString()))


SERVICES = {
    pb.CONTACT: served(pb.Contact),
    pb.GROUP: served(pb.Group),
    pb.SYNC: served(pb.Sync),
    pb.RECEIPT: served(pb.Receipt),
    pb.PRESENCE: served(pb.Presence),
    pb.USER: served(pb.User),
}
requests = st.builds(
    lambda kind_and_payload, opts, seqid: pb.Request(
        type=kind_and_payload[0], payload=kind_and_payload[1], seqid=seqid, opts=[pb.Option(offline=o) for o in opts]
    ),
    st.one_of(
        st.tuples(st.just(pb.MESSAGE), message_bytes),
        st.tuples(st.just(pb.MESSAGE), changes),
        *(st.tuples(st.just(kind), payloads) for kind, payloads in SERVICES.items()),
        st.tuples(enums, st.one_of(junk, message_bytes, *SERVICES.values())),
    ),
    st.lists(st.booleans(), max_size=9),
    u64,
)
connects = st.builds(
    pb.Connect,
    org=st.one_of(st.just("default"), people),
    appkey=st.one_of(st.just("default"), people),
    user=people,
    token=st.one_of(st.just(PASSWORD), people, st.just("r1.1.x"), st.just("e30.e30.x")),
    device=people,
    client=people,
)
commands = st.one_of(
    st.builds(pb.Command, version=st.sampled_from([0, 1, 1, 1, 2, -1]), request=requests),
    st.builds(pb.Command, version=st.just(1), request=requests),
    st.builds(pb.Command, response=st.builds(pb.Response, code=enums, seqid=u64, payload=junk)),
    st.builds(pb.Command, connect=connects),
    st.builds(pb.Command, ping=st.builds(pb.Ping)),
    st.builds(pb.Command, pong=st.builds(pb.Pong)),
    st.builds(pb.Command, conack=st.builds(pb.ConAck)),
    st.builds(pb.Command, disconnect=st.builds(pb.Disconnect, code=enums, reason=people)),
)
requests_only = st.builds(pb.Command, version=st.just(1), request=requests)


@fuzzing
@given(st.booleans(), st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes(logged_in: bool, pieces: list[bytes]) -> None:
    target = Target(logged_in=logged_in)
    for piece in pieces:
        target.feed(piece)
    target.end()


@fuzzing
@given(st.booleans(), st.lists(st.binary(min_size=1, max_size=120), max_size=8))
def test_any_bytes_in_frames(logged_in: bool, contents: list[bytes]) -> None:
    target = Target(logged_in=logged_in)
    for content in contents:
        target.feed(bytes((len(content),)) + content)
    target.end()


@fuzzing
@given(st.booleans(), st.lists(commands, max_size=10), st.integers(0, 50), st.binary(max_size=5))
def test_any_commands_in_any_turn(logged_in: bool, sequence: list[pb.Command], cut: int, tail: bytes) -> None:
    target = Target(logged_in=logged_in)
    stream = b"".join(framed(command) for command in sequence if command.ByteSize()) + tail
    target.feed(stream[:cut])
    target.feed(stream[cut:])
    target.end()


@fuzzing
@given(st.lists(st.lists(requests_only, max_size=6), max_size=5))
def test_any_requests_are_each_answered_once_in_any_case(batches: list[list[pb.Command]]) -> None:
    target = Target(logged_in=True)
    for batch in batches:
        target.client.write(*batch)
        answers = [command.response for command in target.client.everything() if command.HasField("response")]
        assert sorted(answer.seqid for answer in answers) == sorted(command.request.seqid for command in batch)
        assert [answer.seqid for answer in answers] == [command.request.seqid for command in batch]
        target.feed(b"")
    target.end()


@fuzzing
@given(connects)
def test_any_login_is_answered(connect: pb.Connect) -> None:
    target = Target(logged_in=False)
    target.client.write(pb.Command(connect=connect))
    target.client.settle()
    assert [command.HasField("conack") for command in target.client.inbox[:1]] == [True]
    target.feed(b"")
    target.end()
