"""What the services do alike: parse a payload, find what it names, fit answers into a frame."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from google.protobuf.message import DecodeError, Message

from rockdove.core.directory import Directory
from rockdove.core.errors import Refusal, invalid
from rockdove.core.records import User, UserState, single_conversation
from rockdove.core.rules.posting import no_group, no_user
from rockdove.wire import im_pb2 as pb
from rockdove.wire import names
from rockdove.wire.limits import PAGE, PAGE_MAX

if TYPE_CHECKING:
    from rockdove.core.session import Session

ANSWER_BYTES: Final = 256  # of the frame around the items of an answer, at most
ITEM_BYTES: Final = 6  # around an item of a list, at most

Payload = TypeVar("Payload", bound=Message)
Item = TypeVar("Item", bound=Message)

# ---------------------------------------------------------------- what is asked


def parse(kind: type[Payload], payload: bytes) -> Payload:
    """The payload as that message. Raises Refusal."""
    try:
        return kind.FromString(payload)
    except DecodeError:
        raise invalid(f"the payload does not parse as a {kind.DESCRIPTOR.name}") from None


def check_name(field: str, name: str) -> None:
    """Raises Refusal unless what stands in that field may be a name (protocol §4 Limits)."""
    if not names.is_name(name):
        raise invalid(f"`{field}` is not a legal name: use {names.RULE}")


def check_text(field: str, text: str, limit_bytes: int) -> None:
    """Raises Refusal unless what stands in that field may be shown to others (protocol §4 Limits)."""
    if not names.is_display_text(text, limit_bytes):
        raise invalid(f"`{field}` is not to be shown: use at most {limit_bytes} bytes without control characters")


def check_chat(chat: int) -> None:
    """Raises Refusal unless it is a Chat."""
    if chat not in pb.Chat.values():
        raise invalid(f"chat {chat} is not known here")


# ---------------------------------------------------------------- who is named


async def find_user(directory: Directory, session: "Session", name: str, *, active: bool = True) -> User:
    """The user of that name in the session's tenant. Raises Refusal.

    `active`: a removed one counts as unknown, as he does not where something is to be read or ended.
    """
    user = await directory.user(session.tenant.id, name)
    if user is None or (active and user.state is UserState.REMOVED):
        raise no_user(name)
    return user


async def find_group(directory: Directory, session: "Session", group_id: str) -> int:
    """The conversation of that group in the session's tenant; it may be dissolved. Raises Refusal."""
    conversation = await directory.group(session.tenant.id, group_id)
    if not conversation:
        raise no_group(group_id)
    return conversation


async def find_conversation(directory: Directory, session: "Session", chat: int, peer: str) -> int:
    """The conversation that a request names, also with a removed user. Raises Refusal."""
    check_chat(chat)
    check_name("peer", peer)
    if chat == pb.GROUP_CHAT:
        return await find_group(directory, session, peer)
    return single_conversation(session.user, (await find_user(directory, session, peer, active=False)).id)


# ---------------------------------------------------------------- pages


def page_limit(limit: int) -> int:
    """How many items a page may have, for the limit that was asked for (protocol §6)."""
    return min(limit or PAGE, PAGE_MAX)


def no_page_token() -> Refusal:
    """`after` is something else."""
    return invalid("`after` is not a page token: use `next` of the previous answer")


def fitting(items: Iterable[Item], room: int, limit: int) -> tuple[list[Item], bool]:
    """As many items as `room` bytes hold, at least one and at most `limit`; and whether there are more."""
    kept = list[Item]()
    for item in items:
        room -= item.ByteSize() + ITEM_BYTES
        if len(kept) == limit or (room < 0 and kept):
            return kept, True
        kept.append(item)
    return kept, False
