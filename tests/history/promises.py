"""What the protocol promises, as far as a history can tell."""

from dataclasses import dataclass
from enum import StrEnum


class Promise(StrEnum):
    """What can be broken."""

    LOST = "every message reaches every device it is owed to"
    DOUBLED = "a message is stored once, however often it is retried"
    INVENTED = "every message was sent by its sender"
    REFUSED = "what was refused is not stored"
    ALTERED = "content and sender are the same for everyone"
    LEAKED = "only members see a conversation"
    GAP = "the seqs of a conversation are 1, 2, 3, ..."
    SEQ_REUSED = "a place in the log is given once"
    MSGID_REUSED = "a msgid is given once"
    MSGID_ORDER = "msgids grow with time"
    PLACE_ORDER = "a message sent after another was acknowledged has a later place"
    SENDER_ORDER = "messages of one connection are stored in the order in which they were sent"
    RETRY = "a retry gets the same answer"
    REORDERED = "on one connection the seqs of a conversation come upwards without a gap"
    ECHOED = "a device is not sent its own messages"
    PUSHED_AGAIN = "what was acknowledged is not pushed again"
    FORBIDDEN = "only members who are not muted write to a group"
    WRONGLY_REFUSED = "a member who is not muted may write to the group"
    CHANGE_LOST = "a change of a group that was answered with success holds"
    RECALL_LOST = "recalled content does not come back"
    EDIT_LOST = "who comes after an edit gets it with the message"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, and where."""

    promise: Promise
    detail: str

    def __str__(self) -> str:
        return f"{self.promise.name} ({self.promise}): {self.detail}"
