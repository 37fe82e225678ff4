"""What a Message from a client may hold (protocol §4 Limits)."""

from typing import Final

from google.protobuf.message import DecodeError, Message

from rockdove.core.errors import invalid
from rockdove.core.services.requests import check_chat, check_name, parse
from rockdove.wire import im_pb2 as pb
from rockdove.wire import names
from rockdove.wire.limits import CONTENT_BYTES, EMOJI_BYTES, MENTIONS, TEXT_BYTES

EVERYONE: Final = "@all"  # a mention of every member

_CONTENTS: Final[dict[int, type[Message]]] = {
    pb.TXT: pb.MessageTxt,
    pb.IMAGE: pb.MessageImg,
    pb.FILE: pb.MessageFile,
    pb.AUDIO: pb.MessageFile,
    pb.VIDEO: pb.MessageFile,
    pb.LOCATION: pb.MessageLocation,
    pb.CUSTOM: pb.MessageCustom,
    pb.RECALL: pb.Change,
    pb.EDIT: pb.Change,
    pb.REACTION: pb.Reaction,
}


def parse_message(payload: bytes) -> tuple[pb.Message, Message]:
    """The Message in a request and its content, within all limits. Raises Refusal."""
    message = parse(pb.Message, payload)
    check_chat(message.chat)
    check_name("to", message.to)
    if len(message.mentions) > MENTIONS:
        raise invalid(f"{len(message.mentions)} mentions, at most {MENTIONS} are allowed")
    for name in message.mentions:
        if name != EVERYONE and not names.is_name(name):
            raise invalid(f"a mention is not a legal name: use {names.RULE}, or {EVERYONE}")
    if message.type == pb.NOTICE:
        raise invalid("notices are written by the server only")
    return message, _content(message.type, message.payload)


def _content(kind: int, payload: bytes) -> Message:
    content = _CONTENTS.get(kind)
    if content is None:
        raise invalid(f"message type {kind} is not known here")
    if len(payload) > CONTENT_BYTES:
        raise invalid(f"the content is {len(payload)} bytes, at most {CONTENT_BYTES} are allowed")
    try:
        parsed = content.FromString(payload)
    except DecodeError:
        raise invalid(f"the content does not parse as {content.DESCRIPTOR.name}") from None
    if isinstance(parsed, pb.MessageTxt) and (size := len(parsed.txt.encode())) > TEXT_BYTES:
        raise invalid(f"the text is {size} bytes, at most {TEXT_BYTES} are allowed")
    if isinstance(parsed, pb.Reaction) and not _is_emoji(parsed.emoji):
        raise invalid(f"an emoji is 1 to {EMOJI_BYTES} bytes of UTF-8 without control characters")
    if isinstance(parsed, pb.Change):
        _check_change(kind, parsed)
    return parsed


def _check_change(kind: int, change: pb.Change) -> None:
    if kind == pb.RECALL:
        if change.payload or change.type:
            raise invalid("a recall carries no content: leave type and payload empty")
    elif change.type in (pb.RECALL, pb.EDIT, pb.REACTION, pb.NOTICE):
        raise invalid("the new content of a message cannot be a change itself")
    else:
        _content(change.type, change.payload)


def _is_emoji(text: str) -> bool:
    return 0 < len(text.encode()) <= EMOJI_BYTES and names.display_text(text) == text
