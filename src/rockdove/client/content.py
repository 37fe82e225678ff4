"""What a message can say (protocol, MessageType), as plain values."""

from dataclasses import dataclass, fields
from typing import Any, Final

from google.protobuf.message import DecodeError

from rockdove.wire import im_pb2 as pb


@dataclass(frozen=True, slots=True)
class Text:
    """At most 16 KiB of UTF-8."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture at `url`; sizes in pixels and bytes."""

    url: str
    width: int = 0
    height: int = 0
    size: int = 0
    mime: str = ""
    thumbnail_url: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """Any file at `url`; size in bytes."""

    url: str
    name: str = ""
    size: int = 0
    mime: str = ""


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound at `url`; size in bytes."""

    url: str
    name: str = ""
    size: int = 0
    mime: str = ""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Video:
    """A film at `url`; size in bytes."""

    url: str
    name: str = ""
    size: int = 0
    mime: str = ""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Location:
    """A place, in degrees of WGS 84."""

    latitude: float
    longitude: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Custom:
    """An application's own content; `kind` is a reverse domain name like "com.example.poll"."""

    kind: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Recall:
    """Takes back the message `msgid`."""

    msgid: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the content of the message `msgid`."""

    msgid: int
    content: "Content"


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji put on, or taken off, the message `msgid`."""

    msgid: int
    emoji: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to a group or a friendship. Only the server sends it."""

    kind: str
    actor: str = ""
    users: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """Nothing any more: the message was recalled, or deleted by this user. Only its place is left.

    `type` is the MessageType that it had.
    """

    type: int = pb.TXT


@dataclass(frozen=True, slots=True)
class Unknown:
    """Content that this version can't read: a newer MessageType, or bytes that do not parse."""

    type: int
    payload: bytes


Content = Text | Image | File | Audio | Video | Location | Custom | Recall | Edit | Reaction | Notice | Removed | Unknown

# Fields have the names of the wire's fields, but for the founding schema's `txt`.
_SHAPES: Final[dict[type[Any], tuple[int, type[Any]]]] = {
    Text: (pb.TXT, pb.MessageTxt),
    Image: (pb.IMAGE, pb.MessageImg),
    File: (pb.FILE, pb.MessageFile),
    Audio: (pb.AUDIO, pb.MessageFile),
    Video: (pb.VIDEO, pb.MessageFile),
    Location: (pb.LOCATION, pb.MessageLocation),
    Custom: (pb.CUSTOM, pb.MessageCustom),
    Recall: (pb.RECALL, pb.Change),
    Edit: (pb.EDIT, pb.Change),
    Reaction: (pb.REACTION, pb.Reaction),
    Notice: (pb.NOTICE, pb.Notice),
}
_TYPES: Final = {number: (shape, wire) for shape, (number, wire) in _SHAPES.items()}


def encode(content: Content) -> tuple[int, bytes]:
    """`content` as (Message.type, Message.payload). Raises ValueError for a Removed."""
    if isinstance(content, Removed):
        raise ValueError("what is removed has no content to send")
    if isinstance(content, Unknown):
        return content.type, content.payload
    number, wire = _SHAPES[type(content)]
    if isinstance(content, Text):
        values: dict[str, Any] = {"txt": content.text}
    elif isinstance(content, Edit):
        new_type, payload = encode(content.content)
        values = {"msgid": content.msgid, "type": new_type, "payload": payload}
    else:
        values = {field.name: getattr(content, field.name) for field in fields(content)}
    encoded: bytes = wire(**values).SerializeToString()
    return number, encoded


def decode(number: int, payload: bytes) -> Content:
    """The content of a message of MessageType `number`. Never fails: what can't be read becomes Unknown."""
    if number not in _TYPES:
        return Unknown(number, payload)
    shape, wire = _TYPES[number]
    try:
        body = wire.FromString(payload)
    except DecodeError:
        return Unknown(number, payload)
    if shape is Text:
        return Text(body.txt)
    if shape is Edit:
        return read_edit(body)
    values = {field.name: getattr(body, field.name) for field in fields(shape)}
    if shape is Notice:
        values["users"] = tuple(body.users)
    content: Content = shape(**values)
    return content


def read_edit(change: pb.Change) -> Edit:
    """The new content that a Change brings."""
    # One level only: an edit of an edit means nothing, and nesting would be the sender's to choose.
    number, payload = int(change.type), change.payload
    return Edit(change.msgid, Unknown(number, payload) if number == pb.EDIT else decode(number, payload))


def changes_another(content: Content) -> bool:
    """Whether it is about an earlier message, and nothing to be shown by itself."""
    if isinstance(content, Removed):
        return content.type in (pb.RECALL, pb.EDIT, pb.REACTION)
    return isinstance(content, Recall | Edit | Reaction)


def message_type(kind: type[Content]) -> int:
    """The MessageType of a class of content."""
    return _SHAPES[kind][0]
