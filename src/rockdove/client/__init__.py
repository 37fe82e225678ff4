"""The SDK: a client that sends each message once and hands each received one over once, in order."""

from rockdove.client.archive import Readers
from rockdove.client.blocking import BlockingClient, BlockingPosting
from rockdove.client.client import Client
from rockdove.client.contacts import Contact, ContactState, Roster
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
)
from rockdove.client.devices import Device
from rockdove.client.errors import (
    Disconnected,
    LoginRefused,
    OutboxInUse,
    OutboxUnusable,
    OutcomeUnknown,
    Refused,
    RockdoveError,
)
from rockdove.client.events import (
    Connected,
    ContactChanged,
    Deleted,
    Delivered,
    Event,
    JoinRefused,
    JoinRequested,
    MessageReceived,
    MessagesMissing,
    PresenceChanged,
    Read,
    Reconnecting,
    Settled,
    Typing,
)
from rockdove.client.groups import GroupInfo, Joining, JoinRequest, Member, Policy, Role
from rockdove.client.message import Conversation, Message, Sent
from rockdove.client.peer import Group, Peer
from rockdove.client.posting import Posting
from rockdove.client.presence import Here, Status
from rockdove.client.timeline import Timeline
from rockdove.client.users import Profile

__all__ = [
    "Audio",
    "BlockingClient",
    "BlockingPosting",
    "Client",
    "Connected",
    "Contact",
    "ContactChanged",
    "ContactState",
    "Content",
    "Conversation",
    "Custom",
    "Deleted",
    "Delivered",
    "Device",
    "Disconnected",
    "Edit",
    "Event",
    "File",
    "Group",
    "GroupInfo",
    "Here",
    "Image",
    "JoinRefused",
    "JoinRequest",
    "JoinRequested",
    "Joining",
    "Location",
    "LoginRefused",
    "Member",
    "Message",
    "MessageReceived",
    "MessagesMissing",
    "Notice",
    "OutboxInUse",
    "OutboxUnusable",
    "OutcomeUnknown",
    "Peer",
    "Policy",
    "Posting",
    "PresenceChanged",
    "Profile",
    "Reaction",
    "Read",
    "Readers",
    "Recall",
    "Reconnecting",
    "Refused",
    "Removed",
    "RockdoveError",
    "Role",
    "Roster",
    "Sent",
    "Settled",
    "Status",
    "Text",
    "Timeline",
    "Typing",
    "Unknown",
    "Video",
]
