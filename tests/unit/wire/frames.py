"""The two hottest frames, as protobuf writes them, and damaged ones."""

from typing import Any

from hypothesis import strategies as st

from rockdove.wire import im_pb2 as pb

EDGES = [0, 1, 127, 128, 16_383, 16_384, 2**31, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1]
u64 = st.one_of(st.sampled_from(EDGES), st.integers(0, 2**64 - 1))
user_names = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
chats = st.sampled_from([pb.SINGLE, pb.GROUP_CHAT])
words = st.text(st.characters(codec="utf-8"), min_size=2, max_size=40)


def send_frame(seqid: int, to: str, text: str, **fields: Any) -> bytes:
    """A request to send a text, as protobuf writes it."""
    message = pb.Message(to=to, payload=pb.MessageTxt(txt=text).SerializeToString(), **fields)
    request = pb.Request(seqid=seqid, payload=message.SerializeToString())
    return pb.Command(version=1, request=request).SerializeToString()


def ack_frame(msgid: int) -> bytes:
    """An ack, as protobuf writes it."""
    return pb.Command(version=1, response=pb.Response(seqid=msgid)).SerializeToString()


@st.composite
def damaged(draw: st.DrawFn, frames: st.SearchStrategy[bytes]) -> bytes:
    """Frames with a few bytes changed, put in or left out."""
    data = bytearray(draw(frames))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.one_of(st.integers(0, min(20, len(data))), st.integers(0, len(data))))
        kind = draw(st.sampled_from(["change", "nudge", "insert", "delete"]))
        if kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif at < len(data):
            if kind == "change":
                data[at] = draw(st.integers(0, 255))
            elif kind == "nudge":
                data[at] = (data[at] + draw(st.sampled_from([-1, 1]))) % 256
            else:
                del data[at]
    return bytes(data)
