"""Contents survive the wire; what can't be read does no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.client.content import (
    Audio,
    Content,
    Custom,
    Edit,
    File,
    Image,
    Location,
    Notice,
    Reaction,
    Recall,
    Removed,
    Text,
    Unknown,
    Video,
    decode,
    encode,
)
from rockdove.client.errors import Refused
from rockdove.client.message import read_message, write_message
from rockdove.wire import im_pb2 as pb

CONTENTS = [
    Text("你好 😀"),
    Image("https://x/y.png", 640, 480, 12345, "image/png", "https://x/t.png"),
    File("https://x/y.pdf", "y.pdf", 1, "application/pdf"),
    Audio("https://x/a.ogg", "a.ogg", 1, "audio/ogg", 1500),
    Video("https://x/v.mp4", "v.mp4", 1, "video/mp4", 60000),
    Location(39.9, 116.4, "北京"),
    Custom("com.example.poll", b"\x00\xff"),
    Recall(77),
    Edit(77, Text("better")),
    Reaction(77, "👍", removed=True),
    Notice("group.joined", "alice", ("bob", "carol"), "welcome"),
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_contents_survive_the_wire(content: Content) -> None:
    assert decode(*encode(content)) == content


def test_they_are_the_contract_s() -> None:
    assert encode(Text("hi")) == (pb.TXT, pb.MessageTxt(txt="hi").SerializeToString())
    change = pb.Change(msgid=5, type=pb.TXT, payload=pb.MessageTxt(txt="hi").SerializeToString())
    assert encode(Edit(5, Text("hi"))) == (pb.EDIT, change.SerializeToString())
    assert encode(Recall(5)) == (pb.RECALL, pb.Change(msgid=5).SerializeToString())


def test_a_newer_type_is_kept_as_it_is() -> None:
    unknown = Unknown(99, b"\x01\x02")
    assert decode(99, b"\x01\x02") == unknown
    assert encode(unknown) == (99, b"\x01\x02")


@given(st.integers(0, 12), st.binary())
def test_any_bytes_are_some_content(number: int, payload: bytes) -> None:
    decode(number, payload)


def test_edits_of_edits_do_not_nest() -> None:
    payload = b""
    for _ in range(500):
        payload = pb.Change(msgid=1, type=pb.EDIT, payload=payload).SerializeToString()
    content = decode(pb.EDIT, payload)
    assert isinstance(content, Edit)
    assert isinstance(content.content, Unknown)


@pytest.mark.parametrize("content", [Text("half \udc80"), Edit(5, Text("\udc80")), Removed(), Recall(-1)])
def test_what_cannot_be_put_on_the_wire_is_refused(content: Content) -> None:
    with pytest.raises(Refused) as refused:
        write_message("bob", content, 0, ())
    assert refused.value.code == pb.INVALID_ARGUMENT


def test_what_is_removed_keeps_its_type() -> None:
    tombstone = pb.Message(type=pb.EDIT, to="bob", removed=True)
    message = read_message(tombstone, "alice")
    assert (message.content, message.removed, message.is_change) == (Removed(pb.EDIT), True, True)
