from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Answer(_message.Message):
    __slots__ = ["held", "here"]
    HELD_FIELD_NUMBER: _ClassVar[int]
    HERE_FIELD_NUMBER: _ClassVar[int]
    held: bool
    here: _containers.RepeatedCompositeFieldContainer[Here]
    def __init__(self, here: _Optional[_Iterable[_Union[Here, _Mapping]]] = ..., held: bool = ...) -> None: ...

class Delivered(_message.Message):
    __slots__ = ["conversation", "seq", "user"]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    conversation: int
    seq: int
    user: int
    def __init__(self, user: _Optional[int] = ..., conversation: _Optional[int] = ..., seq: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ["but_device", "conversation", "frame", "group_version", "user"]
    BUT_DEVICE_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_VERSION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    but_device: int
    conversation: int
    frame: bytes
    group_version: int
    user: int
    def __init__(self, user: _Optional[int] = ..., conversation: _Optional[int] = ..., frame: _Optional[bytes] = ..., but_device: _Optional[int] = ..., group_version: _Optional[int] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GroupChange(_message.Message):
    __slots__ = ["conversation", "joined", "notices", "parted", "version"]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    PARTED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    conversation: int
    joined: _containers.RepeatedScalarFieldContainer[int]
    notices: _containers.RepeatedCompositeFieldContainer[Stored]
    parted: _containers.RepeatedScalarFieldContainer[int]
    version: int
    def __init__(self, conversation: _Optional[int] = ..., version: _Optional[int] = ..., joined: _Optional[_Iterable[int]] = ..., parted: _Optional[_Iterable[int]] = ..., notices: _Optional[_Iterable[_Union[Stored, _Mapping]]] = ...) -> None: ...

class Here(_message.Message):
    __slots__ = ["devices", "state", "text", "user"]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedScalarFieldContainer[str]
    state: int
    text: str
    user: int
    def __init__(self, user: _Optional[int] = ..., state: _Optional[int] = ..., text: _Optional[str] = ..., devices: _Optional[_Iterable[str]] = ...) -> None: ...

class Holds(_message.Message):
    __slots__ = ["device", "user", "waited_ms"]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    WAITED_MS_FIELD_NUMBER: _ClassVar[int]
    device: str
    user: int
    waited_ms: int
    def __init__(self, user: _Optional[int] = ..., device: _Optional[str] = ..., waited_ms: _Optional[int] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ["delivered", "event", "gap", "group_change", "presence", "relation", "session_end", "sight", "stored", "typing"]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    GROUP_CHANGE_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    RELATION_FIELD_NUMBER: _ClassVar[int]
    SESSION_END_FIELD_NUMBER: _ClassVar[int]
    SIGHT_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    delivered: Delivered
    event: Event
    gap: Gap
    group_change: GroupChange
    presence: Presence
    relation: Relation
    session_end: SessionEnd
    sight: Sight
    stored: Stored
    typing: Typing
    def __init__(self, stored: _Optional[_Union[Stored, _Mapping]] = ..., group_change: _Optional[_Union[GroupChange, _Mapping]] = ..., event: _Optional[_Union[Event, _Mapping]] = ..., sight: _Optional[_Union[Sight, _Mapping]] = ..., delivered: _Optional[_Union[Delivered, _Mapping]] = ..., session_end: _Optional[_Union[SessionEnd, _Mapping]] = ..., presence: _Optional[_Union[Presence, _Mapping]] = ..., relation: _Optional[_Union[Relation, _Mapping]] = ..., typing: _Optional[_Union[Typing, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ...) -> None: ...

class News(_message.Message):
    __slots__ = ["items"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ["node", "state", "who", "whom"]
    NODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WHOM_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    node: int
    state: bytes
    who: int
    whom: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, who: _Optional[int] = ..., whom: _Optional[_Iterable[int]] = ..., state: _Optional[bytes] = ..., node: _Optional[int] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ["holds", "replace", "who"]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    holds: Holds
    replace: Replace
    who: Who
    def __init__(self, replace: _Optional[_Union[Replace, _Mapping]] = ..., who: _Optional[_Union[Who, _Mapping]] = ..., holds: _Optional[_Union[Holds, _Mapping]] = ...) -> None: ...

class Relation(_message.Message):
    __slots__ = ["name", "visible", "who", "whom"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VISIBLE_FIELD_NUMBER: _ClassVar[int]
    WHOM_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    name: str
    visible: bool
    who: int
    whom: int
    def __init__(self, who: _Optional[int] = ..., whom: _Optional[int] = ..., visible: bool = ..., name: _Optional[str] = ...) -> None: ...

class Replace(_message.Message):
    __slots__ = ["device", "login", "user", "waited_ms"]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    WAITED_MS_FIELD_NUMBER: _ClassVar[int]
    device: str
    login: int
    user: int
    waited_ms: int
    def __init__(self, user: _Optional[int] = ..., device: _Optional[str] = ..., login: _Optional[int] = ..., waited_ms: _Optional[int] = ...) -> None: ...

class SessionEnd(_message.Message):
    __slots__ = ["code", "device", "reason", "user"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    code: int
    device: str
    reason: str
    user: int
    def __init__(self, user: _Optional[int] = ..., device: _Optional[str] = ..., code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Sight(_message.Message):
    __slots__ = ["conversation", "user"]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    conversation: int
    user: int
    def __init__(self, user: _Optional[int] = ..., conversation: _Optional[int] = ...) -> None: ...

class Stored(_message.Message):
    __slots__ = ["conversation", "device", "group_version", "msgid", "record", "sender", "seq"]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    GROUP_VERSION_FIELD_NUMBER: _ClassVar[int]
    MSGID_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    conversation: int
    device: int
    group_version: int
    msgid: int
    record: bytes
    sender: int
    seq: int
    def __init__(self, conversation: _Optional[int] = ..., seq: _Optional[int] = ..., msgid: _Optional[int] = ..., sender: _Optional[int] = ..., device: _Optional[int] = ..., record: _Optional[bytes] = ..., group_version: _Optional[int] = ...) -> None: ...

class Typing(_message.Message):
    __slots__ = ["conversation", "group_version", "state", "user"]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    GROUP_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    conversation: int
    group_version: int
    state: bytes
    user: int
    def __init__(self, conversation: _Optional[int] = ..., user: _Optional[int] = ..., state: _Optional[bytes] = ..., group_version: _Optional[int] = ...) -> None: ...

class Who(_message.Message):
    __slots__ = ["users"]
    USERS_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, users: _Optional[_Iterable[int]] = ...) -> None: ...
