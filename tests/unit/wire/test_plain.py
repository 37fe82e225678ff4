"""Whatever is read without parsing, protobuf reads in the same way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rockdove.wire import codec, names
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import TEXT_BYTES
from rockdove.wire.plain import SCANNERS, receiver, receiver_bytes, scan_acks
from tests.unit.wire.frames import ack_frame, chats, damaged, send_frame, u64, user_names, words

texts = st.builds(lambda text, times: (text * times).encode()[:16_000].decode(errors="ignore"), words, st.integers(1, 2_000))


def scanned(frame: bytes, before: bytes = b"", after: bytes = b"") -> tuple[int, bytes, bytes] | None:
    """What is found in the frame where it stands between others."""
    framed = codec.varint(len(frame)) + frame
    data = before + framed + after
    at = len(before)
    found = SCANNERS[receiver_bytes(data, at)].scan(data, at, len(framed))
    assert not found or found[3] == at + len(framed)
    return found and found[:3]


def agrees_with_protobuf(frame: bytes, before: bytes = b"", after: bytes = b"") -> bool:
    """Whether the scanner took `frame`; if so, protobuf reads the same from it."""
    found = scanned(frame, before, after)
    if found is None:
        return False
    seqid, body, to = found
    group = to.endswith(codec.GROUP_MARK + b"!")
    name = to[2:-1].removesuffix(codec.GROUP_MARK)
    if to != receiver(name, group=group) or not names.is_name(name.decode("latin-1")):
        return False  # nobody is called so, and no session has a route: it goes to protobuf after all
    command, kind = codec.decode(frame)
    assert kind == "request"
    request = command.request
    assert (request.type, request.seqid, len(request.opts)) == (pb.MESSAGE, seqid, 0)
    message = pb.Message.FromString(request.payload)
    assert (message.type, message.chat, message.to) == (pb.TXT, int(group), name.decode())
    assert not message.mentions
    assert codec.canonical(message) == body
    text = pb.MessageTxt.FromString(message.payload)
    assert len(text.txt.encode()) <= TEXT_BYTES
    return True


@given(u64.filter(bool), user_names, texts, chats, st.binary(max_size=80), st.binary(max_size=80))
def test_a_plain_text_to_a_user_or_a_group_takes_the_fast_way(
    seqid: int, to: str, text: str, chat: pb.Chat, before: bytes, after: bytes
) -> None:
    assert agrees_with_protobuf(send_frame(seqid, to, text, chat=chat), before, after)


@pytest.mark.parametrize("text", ["hello", "ends like a key \x1a"])
@pytest.mark.parametrize("name", ["b", "b" * 25, "b" * 26, "b" * 27, "b" * 64])
def test_the_receiver_is_found_whatever_stands_before_it(text: str, name: str) -> None:
    assert agrees_with_protobuf(send_frame(1, name, text))
    assert agrees_with_protobuf(send_frame(1, name, text, chat=pb.GROUP_CHAT), b"\x1a", b"\x1a")


@given(user_names, user_names)
def test_a_user_and_a_group_of_the_same_name_are_different_receivers(user: str, group: str) -> None:
    found = [scanned(send_frame(5, name, "hello", chat=chat)) for name, chat in ((user, 0), (group, 1))]
    receivers = [receiver(user.encode(), group=False), receiver(group.encode(), group=True)]
    assert [place and place[2] for place in found] == receivers
    assert receivers[0] != receivers[1]


@pytest.mark.parametrize("size", [*range(100, 140), *range(16_300, 16_400), 20_000])
def test_around_the_lengths_of_varints_the_scanner_agrees_with_protobuf(size: int) -> None:
    for to in ("b", "b" * 64):
        for chat in (pb.SINGLE, pb.GROUP_CHAT):
            took = agrees_with_protobuf(send_frame(5, to, "x" * size, chat=chat))
            assert took or size > 16_200


@settings(max_examples=2_000)
@given(
    st.one_of(damaged(st.builds(send_frame, u64, user_names, texts, chat=chats)), st.binary(max_size=12)),
    st.binary(max_size=80),
    st.binary(max_size=80),
)
def test_whatever_the_scanner_takes_protobuf_reads_in_the_same_way(frame: bytes, before: bytes, after: bytes) -> None:
    agrees_with_protobuf(frame, before, after)


@pytest.mark.parametrize(
    "frame",
    [
        send_frame(1, "bob", "x", chat=2),
        send_frame(1, "bob", "x") + b"\x20\x01",  # outside the message
        send_frame(1, "crew", "x", chat=pb.GROUP_CHAT, mentions=["@all"]),
        send_frame(1, "crew", "x", chat=pb.GROUP_CHAT, reply_to=5),
        send_frame(1, "", "hello", chat=pb.GROUP_CHAT),
        send_frame(1, "bob", "x", type=pb.CUSTOM),
        send_frame(1, "bob", "x", reply_to=5),
        send_frame(1, "bob", "x", mentions=["carol"]),
        send_frame(1, "bob", "x", seq=5),
        send_frame(1, "bob", "x", **{"from": "carol"}),
        send_frame(1, "bob", ""),
        send_frame(1, "", "x"),
        send_frame(1, "bob", "x" * 16_385),
        send_frame(0, "bob", "x"),
        pb.Command(version=1, request=pb.Request(seqid=1, opts=[pb.Option()], payload=b"\x1a\x03bob")).SerializeToString(),
        pb.Command(version=1, request=pb.Request(type=pb.SYNC, seqid=1, payload=b"x" * 30)).SerializeToString(),
        send_frame(1, "bob", "x") + b"\x42\x00",  # a second command
        b"\x08\x02" + send_frame(1, "bob", "x")[2:],
        send_frame(1, "bob", "x").replace(b"\x0a\x01x", b"\x0a\x01\xff"),  # not UTF-8
        send_frame(1, "bob", "\ud7ff").replace("\ud7ff".encode(), b"\xed\xa0\x80"),  # a surrogate
        b"",
        b"\x08\x01\x32",
    ],
)
def test_everything_else_is_left_to_protobuf(frame: bytes) -> None:
    assert not agrees_with_protobuf(frame)


@given(u64.filter(bool), user_names, texts, st.integers(1, 400))
def test_what_is_not_all_here_or_too_long_is_left(seqid: int, to: str, text: str, missing: int) -> None:
    data = framed(send_frame(seqid, to, text))
    scanner = SCANNERS[receiver_bytes(data, 0)]
    assert scanner.scan(data[: max(len(data) - missing, 1)], 0, len(data)) is None
    assert scanner.scan(data, 0, len(data) - 1) is None
    assert receiver_bytes(data[: max(len(data) - missing, 1)], 0) == 0


@given(
    st.lists(st.tuples(u64.filter(bool), texts), min_size=1, max_size=6),
    user_names,
    chats,
    st.one_of(st.sampled_from([b"", ack_frame(7), b"\x08\x01"]), st.builds(send_frame, u64, user_names, words)),
    st.integers(0, 7),
)
def test_texts_to_one_receiver_are_read_on_as_each_is_read(
    sends: list[tuple[int, str]], to: str, chat: pb.Chat, after: bytes, limit: int
) -> None:
    frames = [send_frame(seqid, to, text, chat=chat) for seqid, text in sends]
    data = framed(*frames, *([after] if after else []))
    seqids, bodies = list[int](), list[bytes]()
    scanner, to_field = SCANNERS[receiver_bytes(data, 0)], receiver(to.encode(), group=chat == pb.GROUP_CHAT)
    end = scanner.scan_on(data, 0, limit, len(data), to_field, seqids, bodies)
    expected: list[tuple[int, bytes, bytes, int]] = []
    at = 0
    while len(expected) < limit and at < len(data) and (found := scanner.scan(data, at, len(data))) and found[2] == to_field:
        expected.append(found)
        at = found[3]
    assert (end, seqids, bodies) == (at, [found[0] for found in expected], [found[1] for found in expected])
    assert len(expected) >= min(limit, len(sends)) or any(len(text.encode()) > 16_000 for _, text in sends)


def framed(*frames: bytes) -> bytes:
    return b"".join(codec.varint(len(frame)) + frame for frame in frames)


@given(st.lists(u64.filter(bool), max_size=20), st.integers(1, 25), st.binary(max_size=40))
def test_plain_acks_are_taken_together(msgids: list[int], limit: int, before: bytes) -> None:
    data = before + framed(*map(ack_frame, msgids))
    for after in (b"", b"\0", framed(ack_frame(7))[:-1], framed(send_frame(5, "bob", "hello"))):
        assert scan_acks(data + after, len(before), limit) == msgids[:limit]


@settings(max_examples=500)
@given(damaged(st.builds(ack_frame, u64)))
def test_whatever_the_scanner_takes_for_an_ack_is_one(frame: bytes) -> None:
    for msgid in scan_acks(framed(frame), 0, 1):
        command, kind = codec.decode(frame)
        assert kind == "response"
        assert command.response == pb.Response(seqid=msgid)


@pytest.mark.parametrize(
    "response",
    [pb.Response(code=5, seqid=1), pb.Response(), pb.Response(reason="x", seqid=1), pb.Response(seqid=1, payload=b"x")],
)
def test_other_responses_are_no_plain_acks(response: pb.Response) -> None:
    assert not scan_acks(framed(pb.Command(version=1, response=response).SerializeToString()), 0, 1)


def test_an_ack_of_the_oldest_message_is_left_to_whoever_knows_which_that_is() -> None:
    assert scan_acks(framed(ack_frame(5), ack_frame(5).replace(b"\x05", b"\0")), 0, 9) == [5]
