from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ALREADY_EXISTS: Code
AUDIO: MessageType
CONTACT: RequestType
CUSTOM: MessageType
DESCRIPTOR: _descriptor.FileDescriptor
EDIT: MessageType
FAILED_PRECONDITION: Code
FILE: MessageType
FLOODING: DisconnectCode
FRAME_TOO_LARGE: DisconnectCode
GROUP: RequestType
GROUP_CHAT: Chat
HEARTBEAT_TIMEOUT: DisconnectCode
IMAGE: MessageType
INTERNAL: Code
INVALID_ARGUMENT: Code
KICKED: DisconnectCode
LOCATION: MessageType
LOGIN_REQUIRED: DisconnectCode
MESSAGE: RequestType
NORMAL: DisconnectCode
NOTICE: MessageType
NOT_FOUND: Code
OK: Code
PERMISSION_DENIED: Code
PRESENCE: RequestType
PROTOCOL_ERROR: DisconnectCode
REACTION: MessageType
RECALL: MessageType
RECEIPT: RequestType
REPLACED: DisconnectCode
RESOURCE_EXHAUSTED: Code
SERVER_SHUTDOWN: DisconnectCode
SINGLE: Chat
STATUS_FAIL: Status
STATUS_OK: Status
SYNC: RequestType
TOKEN_EXPIRED: DisconnectCode
TOO_SLOW: DisconnectCode
TXT: MessageType
UNAUTHENTICATED: Code
UNAVAILABLE: Code
UNIMPLEMENTED: Code
USER: RequestType
VIDEO: MessageType

class Change(_message.Message):
    __slots__ = ["msgid", "payload", "type"]
    MSGID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    msgid: int
    payload: bytes
    type: MessageType
    def __init__(self, msgid: _Optional[int] = ..., type: _Optional[_Union[MessageType, str]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ["conack", "connect", "disconnect", "ping", "pong", "request", "response", "version"]
    CONACK_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    conack: ConAck
    connect: Connect
    disconnect: Disconnect
    ping: Ping
    pong: Pong
    request: Request
    response: Response
    version: int
    def __init__(self, version: _Optional[int] = ..., connect: _Optional[_Union[Connect, _Mapping]] = ..., conack: _Optional[_Union[ConAck, _Mapping]] = ..., disconnect: _Optional[_Union[Disconnect, _Mapping]] = ..., request: _Optional[_Union[Request, _Mapping]] = ..., response: _Optional[_Union[Response, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ...) -> None: ...

class ConAck(_message.Message):
    __slots__ = ["code", "epoch", "heartbeat_seconds", "last_seqid", "max_frame_bytes", "reason", "resume_expires_at", "resume_token", "server_time", "session", "status", "window"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQID_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESUME_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    code: Code
    epoch: int
    heartbeat_seconds: int
    last_seqid: int
    max_frame_bytes: int
    reason: str
    resume_expires_at: int
    resume_token: str
    server_time: int
    session: str
    status: Status
    window: int
    def __init__(self, status: _Optional[_Union[Status, str]] = ..., reason: _Optional[str] = ..., code: _Optional[_Union[Code, str]] = ..., session: _Optional[str] = ..., server_time: _Optional[int] = ..., heartbeat_seconds: _Optional[int] = ..., max_frame_bytes: _Optional[int] = ..., window: _Optional[int] = ..., resume_token: _Optional[str] = ..., resume_expires_at: _Optional[int] = ..., epoch: _Optional[int] = ..., last_seqid: _Optional[int] = ...) -> None: ...

class Connect(_message.Message):
    __slots__ = ["appkey", "client", "device", "org", "token", "user"]
    APPKEY_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    appkey: str
    client: str
    device: str
    org: str
    token: str
    user: str
    def __init__(self, org: _Optional[str] = ..., appkey: _Optional[str] = ..., user: _Optional[str] = ..., token: _Optional[str] = ..., device: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class Contact(_message.Message):
    __slots__ = ["add", "answer", "block", "event", "list", "remove", "unblock"]
    ADD_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    UNBLOCK_FIELD_NUMBER: _ClassVar[int]
    add: ContactAdd
    answer: ContactAnswer
    block: ContactRef
    event: ContactItem
    list: ListContacts
    remove: ContactRef
    unblock: ContactRef
    def __init__(self, add: _Optional[_Union[ContactAdd, _Mapping]] = ..., answer: _Optional[_Union[ContactAnswer, _Mapping]] = ..., remove: _Optional[_Union[ContactRef, _Mapping]] = ..., block: _Optional[_Union[ContactRef, _Mapping]] = ..., unblock: _Optional[_Union[ContactRef, _Mapping]] = ..., list: _Optional[_Union[ListContacts, _Mapping]] = ..., event: _Optional[_Union[ContactItem, _Mapping]] = ...) -> None: ...

class ContactAdd(_message.Message):
    __slots__ = ["greeting", "remark", "user"]
    GREETING_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    greeting: str
    remark: str
    user: str
    def __init__(self, user: _Optional[str] = ..., greeting: _Optional[str] = ..., remark: _Optional[str] = ...) -> None: ...

class ContactAnswer(_message.Message):
    __slots__ = ["accept", "reason", "user"]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    accept: bool
    reason: str
    user: str
    def __init__(self, user: _Optional[str] = ..., accept: bool = ..., reason: _Optional[str] = ...) -> None: ...

class ContactItem(_message.Message):
    __slots__ = ["greeting", "remark", "state", "updated_at", "user"]
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    BLOCKED: ContactItem.State
    FRIEND: ContactItem.State
    GREETING_FIELD_NUMBER: _ClassVar[int]
    INVITED: ContactItem.State
    NONE: ContactItem.State
    REMARK_FIELD_NUMBER: _ClassVar[int]
    REQUESTED: ContactItem.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    greeting: str
    remark: str
    state: ContactItem.State
    updated_at: int
    user: str
    def __init__(self, user: _Optional[str] = ..., state: _Optional[_Union[ContactItem.State, str]] = ..., remark: _Optional[str] = ..., greeting: _Optional[str] = ..., updated_at: _Optional[int] = ...) -> None: ...

class ContactList(_message.Message):
    __slots__ = ["items", "next", "version"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ContactItem]
    next: str
    version: int
    def __init__(self, items: _Optional[_Iterable[_Union[ContactItem, _Mapping]]] = ..., next: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ContactRef(_message.Message):
    __slots__ = ["user"]
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class Conversation(_message.Message):
    __slots__ = ["acked_seq", "chat", "last", "last_seq", "left", "name", "peer", "peer_read_seq", "read_seq", "unread"]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    PEER_READ_SEQ_FIELD_NUMBER: _ClassVar[int]
    READ_SEQ_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    acked_seq: int
    chat: Chat
    last: Message
    last_seq: int
    left: bool
    name: str
    peer: str
    peer_read_seq: int
    read_seq: int
    unread: int
    def __init__(self, chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ..., last_seq: _Optional[int] = ..., acked_seq: _Optional[int] = ..., read_seq: _Optional[int] = ..., peer_read_seq: _Optional[int] = ..., unread: _Optional[int] = ..., last: _Optional[_Union[Message, _Mapping]] = ..., name: _Optional[str] = ..., left: bool = ...) -> None: ...

class Conversations(_message.Message):
    __slots__ = ["items", "next"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Conversation]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[Conversation, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class DeviceInfo(_message.Message):
    __slots__ = ["client", "device", "last_seen", "online"]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    client: str
    device: str
    last_seen: int
    online: bool
    def __init__(self, device: _Optional[str] = ..., client: _Optional[str] = ..., online: bool = ..., last_seen: _Optional[int] = ...) -> None: ...

class DeviceList(_message.Message):
    __slots__ = ["items"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[DeviceInfo]
    def __init__(self, items: _Optional[_Iterable[_Union[DeviceInfo, _Mapping]]] = ...) -> None: ...

class DeviceRef(_message.Message):
    __slots__ = ["device"]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: str
    def __init__(self, device: _Optional[str] = ...) -> None: ...

class Disconnect(_message.Message):
    __slots__ = ["code", "reason"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Found(_message.Message):
    __slots__ = ["messages", "next"]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    next: str
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ["answer", "create", "dissolve", "event", "info", "invite", "join", "kick", "leave", "list", "members", "mute", "requests", "role", "update"]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CREATE_FIELD_NUMBER: _ClassVar[int]
    DISSOLVE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    INVITE_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    KICK_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    MUTE_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    answer: GroupAnswer
    create: GroupCreate
    dissolve: GroupRef
    event: GroupRequest
    info: GroupRef
    invite: GroupUsers
    join: GroupRef
    kick: GroupUsers
    leave: GroupRef
    list: ListGroups
    members: GroupMembersQuery
    mute: GroupMute
    requests: GroupRequestsQuery
    role: GroupRole
    update: GroupUpdate
    def __init__(self, create: _Optional[_Union[GroupCreate, _Mapping]] = ..., info: _Optional[_Union[GroupRef, _Mapping]] = ..., join: _Optional[_Union[GroupRef, _Mapping]] = ..., leave: _Optional[_Union[GroupRef, _Mapping]] = ..., invite: _Optional[_Union[GroupUsers, _Mapping]] = ..., kick: _Optional[_Union[GroupUsers, _Mapping]] = ..., dissolve: _Optional[_Union[GroupRef, _Mapping]] = ..., update: _Optional[_Union[GroupUpdate, _Mapping]] = ..., role: _Optional[_Union[GroupRole, _Mapping]] = ..., mute: _Optional[_Union[GroupMute, _Mapping]] = ..., members: _Optional[_Union[GroupMembersQuery, _Mapping]] = ..., list: _Optional[_Union[ListGroups, _Mapping]] = ..., answer: _Optional[_Union[GroupAnswer, _Mapping]] = ..., requests: _Optional[_Union[GroupRequestsQuery, _Mapping]] = ..., event: _Optional[_Union[GroupRequest, _Mapping]] = ...) -> None: ...

class GroupAnswer(_message.Message):
    __slots__ = ["accept", "id", "reason", "user"]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    accept: bool
    id: str
    reason: str
    user: str
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., accept: bool = ..., reason: _Optional[str] = ...) -> None: ...

class GroupCreate(_message.Message):
    __slots__ = ["id", "members", "name", "policy"]
    ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    id: str
    members: _containers.RepeatedScalarFieldContainer[str]
    name: str
    policy: GroupPolicy
    def __init__(self, name: _Optional[str] = ..., members: _Optional[_Iterable[str]] = ..., policy: _Optional[_Union[GroupPolicy, _Mapping]] = ..., id: _Optional[str] = ...) -> None: ...

class GroupInfo(_message.Message):
    __slots__ = ["announcement", "avatar_url", "created_at", "id", "member", "muted_until", "name", "owner", "policy", "role", "size", "version"]
    ANNOUNCEMENT_FIELD_NUMBER: _ClassVar[int]
    AVATAR_URL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    MUTED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    announcement: str
    avatar_url: str
    created_at: int
    id: str
    member: bool
    muted_until: int
    name: str
    owner: str
    policy: GroupPolicy
    role: GroupRole.Role
    size: int
    version: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., size: _Optional[int] = ..., policy: _Optional[_Union[GroupPolicy, _Mapping]] = ..., announcement: _Optional[str] = ..., avatar_url: _Optional[str] = ..., created_at: _Optional[int] = ..., version: _Optional[int] = ..., muted_until: _Optional[int] = ..., role: _Optional[_Union[GroupRole.Role, str]] = ..., member: bool = ...) -> None: ...

class GroupList(_message.Message):
    __slots__ = ["items", "next"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[GroupInfo]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[GroupInfo, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class GroupMember(_message.Message):
    __slots__ = ["joined_at", "muted_until", "role", "user"]
    JOINED_AT_FIELD_NUMBER: _ClassVar[int]
    MUTED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    joined_at: int
    muted_until: int
    role: GroupRole.Role
    user: str
    def __init__(self, user: _Optional[str] = ..., role: _Optional[_Union[GroupRole.Role, str]] = ..., joined_at: _Optional[int] = ..., muted_until: _Optional[int] = ...) -> None: ...

class GroupMembers(_message.Message):
    __slots__ = ["items", "next"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[GroupMember]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[GroupMember, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class GroupMembersQuery(_message.Message):
    __slots__ = ["after", "id", "limit"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    id: str
    limit: int
    def __init__(self, id: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class GroupMute(_message.Message):
    __slots__ = ["id", "seconds", "user"]
    ID_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    id: str
    seconds: int
    user: str
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., seconds: _Optional[int] = ...) -> None: ...

class GroupPolicy(_message.Message):
    __slots__ = ["history_for_new", "join", "members_invite", "only_admins_post"]
    class Join(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    APPROVAL: GroupPolicy.Join
    HISTORY_FOR_NEW_FIELD_NUMBER: _ClassVar[int]
    INVITE: GroupPolicy.Join
    JOIN_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_INVITE_FIELD_NUMBER: _ClassVar[int]
    ONLY_ADMINS_POST_FIELD_NUMBER: _ClassVar[int]
    OPEN: GroupPolicy.Join
    history_for_new: bool
    join: GroupPolicy.Join
    members_invite: bool
    only_admins_post: bool
    def __init__(self, join: _Optional[_Union[GroupPolicy.Join, str]] = ..., members_invite: bool = ..., only_admins_post: bool = ..., history_for_new: bool = ...) -> None: ...

class GroupRef(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GroupRequest(_message.Message):
    __slots__ = ["asked_at", "id", "reason", "refused", "user"]
    ASKED_AT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    asked_at: int
    id: str
    reason: str
    refused: bool
    user: str
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., asked_at: _Optional[int] = ..., refused: bool = ..., reason: _Optional[str] = ...) -> None: ...

class GroupRequests(_message.Message):
    __slots__ = ["items", "next"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[GroupRequest]
    next: str
    def __init__(self, items: _Optional[_Iterable[_Union[GroupRequest, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class GroupRequestsQuery(_message.Message):
    __slots__ = ["after", "id", "limit"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    id: str
    limit: int
    def __init__(self, id: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class GroupRole(_message.Message):
    __slots__ = ["id", "role", "user"]
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ADMIN: GroupRole.Role
    ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER: GroupRole.Role
    OWNER: GroupRole.Role
    ROLE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    id: str
    role: GroupRole.Role
    user: str
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., role: _Optional[_Union[GroupRole.Role, str]] = ...) -> None: ...

class GroupUpdate(_message.Message):
    __slots__ = ["announcement", "avatar_url", "id", "name", "owner", "policy"]
    ANNOUNCEMENT_FIELD_NUMBER: _ClassVar[int]
    AVATAR_URL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    announcement: str
    avatar_url: str
    id: str
    name: str
    owner: str
    policy: GroupPolicy
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., announcement: _Optional[str] = ..., avatar_url: _Optional[str] = ..., policy: _Optional[_Union[GroupPolicy, _Mapping]] = ..., owner: _Optional[str] = ...) -> None: ...

class GroupUsers(_message.Message):
    __slots__ = ["id", "reason", "users"]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    id: str
    reason: str
    users: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., users: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Hide(_message.Message):
    __slots__ = ["chat", "peer", "seqs", "through"]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    SEQS_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    chat: Chat
    peer: str
    seqs: _containers.RepeatedScalarFieldContainer[int]
    through: int
    def __init__(self, chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ..., seqs: _Optional[_Iterable[int]] = ..., through: _Optional[int] = ...) -> None: ...

class ListContacts(_message.Message):
    __slots__ = ["after", "limit", "since"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    since: int
    def __init__(self, since: _Optional[int] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListConversations(_message.Message):
    __slots__ = ["after", "limit"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListDevices(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListGroups(_message.Message):
    __slots__ = ["after", "limit"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListReaders(_message.Message):
    __slots__ = ["after", "limit", "peer", "seq"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    peer: str
    seq: int
    def __init__(self, peer: _Optional[str] = ..., seq: _Optional[int] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ["chat", "edited", "mentions", "msgid", "payload", "removed", "reply_to", "seq", "timestamp", "to", "type"]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    EDITED_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    MSGID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    chat: Chat
    edited: Change
    mentions: _containers.RepeatedScalarFieldContainer[str]
    msgid: int
    payload: bytes
    removed: bool
    reply_to: int
    seq: int
    timestamp: int
    to: str
    type: MessageType
    def __init__(self, type: _Optional[_Union[MessageType, str]] = ..., payload: _Optional[bytes] = ..., to: _Optional[str] = ..., chat: _Optional[_Union[Chat, str]] = ..., reply_to: _Optional[int] = ..., mentions: _Optional[_Iterable[str]] = ..., msgid: _Optional[int] = ..., seq: _Optional[int] = ..., timestamp: _Optional[int] = ..., removed: bool = ..., edited: _Optional[_Union[Change, _Mapping]] = ..., **kwargs) -> None: ...

class MessageCustom(_message.Message):
    __slots__ = ["body", "kind"]
    BODY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    kind: str
    def __init__(self, kind: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class MessageFile(_message.Message):
    __slots__ = ["duration_ms", "mime", "name", "size", "url"]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    MIME_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    duration_ms: int
    mime: str
    name: str
    size: int
    url: str
    def __init__(self, url: _Optional[str] = ..., name: _Optional[str] = ..., size: _Optional[int] = ..., mime: _Optional[str] = ..., duration_ms: _Optional[int] = ...) -> None: ...

class MessageImg(_message.Message):
    __slots__ = ["height", "mime", "size", "thumbnail_url", "url", "width"]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_URL_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    height: int
    mime: str
    size: int
    thumbnail_url: str
    url: str
    width: int
    def __init__(self, url: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., size: _Optional[int] = ..., mime: _Optional[str] = ..., thumbnail_url: _Optional[str] = ...) -> None: ...

class MessageLocation(_message.Message):
    __slots__ = ["latitude", "longitude", "name"]
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    latitude: float
    longitude: float
    name: str
    def __init__(self, latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., name: _Optional[str] = ...) -> None: ...

class MessageTxt(_message.Message):
    __slots__ = ["txt"]
    TXT_FIELD_NUMBER: _ClassVar[int]
    txt: str
    def __init__(self, txt: _Optional[str] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ["actor", "kind", "text", "users"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    actor: str
    kind: str
    text: str
    users: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[str] = ..., actor: _Optional[str] = ..., users: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ...) -> None: ...

class Option(_message.Message):
    __slots__ = ["offline"]
    OFFLINE_FIELD_NUMBER: _ClassVar[int]
    offline: bool
    def __init__(self, offline: bool = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Pong(_message.Message):
    __slots__ = ["server_time"]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    server_time: int
    def __init__(self, server_time: _Optional[int] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ["event", "publish", "query"]
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    class Publish(_message.Message):
        __slots__ = ["chat", "peer", "state", "text"]
        CHAT_FIELD_NUMBER: _ClassVar[int]
        PEER_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        chat: Chat
        peer: str
        state: Presence.State
        text: str
        def __init__(self, state: _Optional[_Union[Presence.State, str]] = ..., chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
    class Query(_message.Message):
        __slots__ = ["users"]
        USERS_FIELD_NUMBER: _ClassVar[int]
        users: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, users: _Optional[_Iterable[str]] = ...) -> None: ...
    AWAY: Presence.State
    EVENT_FIELD_NUMBER: _ClassVar[int]
    OFFLINE: Presence.State
    ONLINE: Presence.State
    PUBLISH_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TYPING: Presence.State
    event: PresenceList
    publish: Presence.Publish
    query: Presence.Query
    def __init__(self, publish: _Optional[_Union[Presence.Publish, _Mapping]] = ..., query: _Optional[_Union[Presence.Query, _Mapping]] = ..., event: _Optional[_Union[PresenceList, _Mapping]] = ...) -> None: ...

class PresenceList(_message.Message):
    __slots__ = ["items"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[PresenceState]
    def __init__(self, items: _Optional[_Iterable[_Union[PresenceState, _Mapping]]] = ...) -> None: ...

class PresenceState(_message.Message):
    __slots__ = ["chat", "last_seen", "peer", "state", "text", "user"]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    chat: Chat
    last_seen: int
    peer: str
    state: Presence.State
    text: str
    user: str
    def __init__(self, user: _Optional[str] = ..., state: _Optional[_Union[Presence.State, str]] = ..., last_seen: _Optional[int] = ..., text: _Optional[str] = ..., chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ...) -> None: ...

class Pull(_message.Message):
    __slots__ = ["after", "before", "chat", "limit", "peer"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    after: int
    before: int
    chat: Chat
    limit: int
    peer: str
    def __init__(self, chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ..., after: _Optional[int] = ..., before: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class Pulled(_message.Message):
    __slots__ = ["messages", "more"]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    more: bool
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., more: bool = ...) -> None: ...

class PushTarget(_message.Message):
    __slots__ = ["keys", "kind", "target"]
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    class KeysEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APNS: PushTarget.Kind
    FCM: PushTarget.Kind
    KEYS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NONE: PushTarget.Kind
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK: PushTarget.Kind
    WEB_PUSH: PushTarget.Kind
    keys: _containers.ScalarMap[str, str]
    kind: PushTarget.Kind
    target: str
    def __init__(self, kind: _Optional[_Union[PushTarget.Kind, str]] = ..., target: _Optional[str] = ..., keys: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Reaction(_message.Message):
    __slots__ = ["emoji", "msgid", "removed"]
    EMOJI_FIELD_NUMBER: _ClassVar[int]
    MSGID_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    emoji: str
    msgid: int
    removed: bool
    def __init__(self, msgid: _Optional[int] = ..., emoji: _Optional[str] = ..., removed: bool = ...) -> None: ...

class Readers(_message.Message):
    __slots__ = ["count", "next", "total", "users"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    count: int
    next: str
    total: int
    users: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., total: _Optional[int] = ..., users: _Optional[_Iterable[str]] = ..., next: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ["chat", "kind", "peer", "seq", "user"]
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    CHAT_FIELD_NUMBER: _ClassVar[int]
    DELIVERED: Receipt.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    READ: Receipt.Kind
    SEQ_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    chat: Chat
    kind: Receipt.Kind
    peer: str
    seq: int
    user: str
    def __init__(self, kind: _Optional[_Union[Receipt.Kind, str]] = ..., chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ..., seq: _Optional[int] = ..., user: _Optional[str] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ["opts", "payload", "seqid", "type"]
    OPTS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SEQID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    opts: _containers.RepeatedCompositeFieldContainer[Option]
    payload: bytes
    seqid: int
    type: RequestType
    def __init__(self, type: _Optional[_Union[RequestType, str]] = ..., payload: _Optional[bytes] = ..., opts: _Optional[_Iterable[_Union[Option, _Mapping]]] = ..., seqid: _Optional[int] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ["code", "payload", "reason", "seqid"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SEQID_FIELD_NUMBER: _ClassVar[int]
    code: int
    payload: bytes
    reason: str
    seqid: int
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., seqid: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Search(_message.Message):
    __slots__ = ["after", "chat", "limit", "peer", "since", "text", "types", "until"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    after: str
    chat: Chat
    limit: int
    peer: str
    since: int
    text: str
    types: _containers.RepeatedScalarFieldContainer[MessageType]
    until: int
    def __init__(self, text: _Optional[str] = ..., chat: _Optional[_Union[Chat, str]] = ..., peer: _Optional[str] = ..., since: _Optional[int] = ..., until: _Optional[int] = ..., types: _Optional[_Iterable[_Union[MessageType, str]]] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ..., **kwargs) -> None: ...

class Sent(_message.Message):
    __slots__ = ["msgid", "seq", "timestamp"]
    MSGID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    msgid: int
    seq: int
    timestamp: int
    def __init__(self, msgid: _Optional[int] = ..., seq: _Optional[int] = ..., timestamp: _Optional[int] = ...) -> None: ...

class Sync(_message.Message):
    __slots__ = ["conversations", "hide", "pull", "readers", "search"]
    CONVERSATIONS_FIELD_NUMBER: _ClassVar[int]
    HIDE_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    conversations: ListConversations
    hide: Hide
    pull: Pull
    readers: ListReaders
    search: Search
    def __init__(self, conversations: _Optional[_Union[ListConversations, _Mapping]] = ..., pull: _Optional[_Union[Pull, _Mapping]] = ..., search: _Optional[_Union[Search, _Mapping]] = ..., readers: _Optional[_Union[ListReaders, _Mapping]] = ..., hide: _Optional[_Union[Hide, _Mapping]] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ["devices", "get", "kick", "push", "update"]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    GET_FIELD_NUMBER: _ClassVar[int]
    KICK_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    devices: ListDevices
    get: UserQuery
    kick: DeviceRef
    push: PushTarget
    update: UserUpdate
    def __init__(self, get: _Optional[_Union[UserQuery, _Mapping]] = ..., update: _Optional[_Union[UserUpdate, _Mapping]] = ..., devices: _Optional[_Union[ListDevices, _Mapping]] = ..., kick: _Optional[_Union[DeviceRef, _Mapping]] = ..., push: _Optional[_Union[PushTarget, _Mapping]] = ...) -> None: ...

class UserInfo(_message.Message):
    __slots__ = ["avatar_url", "ext", "nickname", "user"]
    class ExtEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AVATAR_URL_FIELD_NUMBER: _ClassVar[int]
    EXT_FIELD_NUMBER: _ClassVar[int]
    NICKNAME_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    avatar_url: str
    ext: _containers.ScalarMap[str, str]
    nickname: str
    user: str
    def __init__(self, user: _Optional[str] = ..., nickname: _Optional[str] = ..., avatar_url: _Optional[str] = ..., ext: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UserList(_message.Message):
    __slots__ = ["items"]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[UserInfo]
    def __init__(self, items: _Optional[_Iterable[_Union[UserInfo, _Mapping]]] = ...) -> None: ...

class UserQuery(_message.Message):
    __slots__ = ["limit", "prefix", "users"]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    limit: int
    prefix: str
    users: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, users: _Optional[_Iterable[str]] = ..., prefix: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class UserUpdate(_message.Message):
    __slots__ = ["avatar_url", "ext", "nickname"]
    class ExtEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AVATAR_URL_FIELD_NUMBER: _ClassVar[int]
    EXT_FIELD_NUMBER: _ClassVar[int]
    NICKNAME_FIELD_NUMBER: _ClassVar[int]
    avatar_url: str
    ext: _containers.ScalarMap[str, str]
    nickname: str
    def __init__(self, nickname: _Optional[str] = ..., avatar_url: _Optional[str] = ..., ext: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class DisconnectCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class RequestType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Chat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class MessageType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
