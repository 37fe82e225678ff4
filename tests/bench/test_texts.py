"""What is sent and how it is read again: held against the codec of the package."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rockdove.bench.texts import SMALLEST, Mark, Template, read_mark, read_sent, read_seq
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb
from rockdove.wire.framing import FrameDecoder

TAG = b"0a1b2c3d"
MARKS = st.builds(Mark, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
IDS = st.integers(1, 2**63 - 1)
SEQS = st.integers(1, 2**40)
CHATS = st.sampled_from([pb.SINGLE, pb.GROUP_CHAT])


def template(chat: pb.Chat = pb.SINGLE, size: int = 100) -> Template:
    return Template(TAG, "alice", "bob", chat, size)


def unframed(frame: bytes) -> bytes:
    """The frame without its length."""
    decoder = FrameDecoder()
    decoder.feed(frame)
    (found,) = decoder.frames()
    return found


def pushed(body: bytes, sender: str, msgid: int, seq: int) -> bytes:
    """The frame that a server pushes, without its length."""
    frame = codec.push(codec.record(body, codec.sender_field(sender), msgid, seq, codec.varint(1_700_000_000_000)), msgid)
    return unframed(frame)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(MARKS, IDS, IDS, SEQS, CHATS, st.integers(SMALLEST, 9000))
def test_what_is_sent_is_read_from_the_push(mark: Mark, seqid: int, msgid: int, seq: int, chat: pb.Chat, size: int) -> None:
    one = template(chat, size)
    frame = one.frame(mark, seqid)
    command = pb.Command.FromString(unframed(frame))
    assert command.request.seqid == seqid
    message = pb.Message.FromString(command.request.payload)
    assert (message.to, message.chat, len(pb.MessageTxt.FromString(message.payload).txt)) == ("bob", chat, size)
    push = pushed(command.request.payload, "alice", msgid, seq)
    found = read_mark(push, TAG)
    assert found
    assert found[0] == mark
    assert read_seq(push, found[1], one.tail) == seq


def test_a_push_that_was_tampered_with_has_no_seq() -> None:
    one = template()
    body = pb.Command.FromString(unframed(one.frame(Mark(1, 2, 3), 4))).request.payload
    right = pushed(body, "alice", 9, 5)
    found = read_mark(right, TAG)
    assert found
    assert read_seq(right, found[1], one.tail) == 5
    for wrong in (pushed(body, "mallory", 9, 5), right.replace(b"brown", b"blond"), right[:-1] + b"\x01"):
        assert read_seq(wrong, found[1], one.tail) == 0


def test_other_texts_have_no_mark() -> None:
    assert read_mark(pushed(b"\x12\x04\x0a\x02hi\x1a\x03bob", "alice", 1, 1), TAG) is None
    assert read_mark(TAG + b"not hexadecimal at all, but long enough", TAG) is None
    assert read_mark(TAG + b"00", TAG) is None


@given(IDS, IDS, SEQS)
def test_an_answer_is_read(seqid: int, msgid: int, seq: int) -> None:
    frame = codec.sent(seqid, msgid, seq, codec.varint(1_700_000_000_000))[1:]
    assert read_sent(frame, seqid.to_bytes(8, "little")) == seq
    assert read_sent(frame, (seqid ^ 1).to_bytes(8, "little")) == 0


@given(IDS)
def test_an_error_is_no_answer(seqid: int) -> None:
    assert (
        read_sent(codec.response(seqid, code=pb.NOT_FOUND, reason="there is no such user")[1:], seqid.to_bytes(8, "little"))
        == 0
    )
    assert read_sent(codec.response(seqid)[1:], seqid.to_bytes(8, "little")) == 0
