"""What the client tells, and what that means for the screen."""

import time
from dataclasses import dataclass

from rockdove.cli.tui.desk import Desk
from rockdove.client import (
    Connected,
    ContactChanged,
    Deleted,
    Delivered,
    Event,
    JoinRefused,
    JoinRequested,
    MessageReceived,
    PresenceChanged,
    Read,
    Reconnecting,
    Settled,
    Typing,
)


@dataclass(slots=True)
class Connection:
    """`retry_at` is on the monotonic clock; None while there is a connection."""

    retry_at: float | None = None


async def tell(desk: Desk, connection: Connection, event: Event) -> None:  # noqa: C901, PLR0912  # one case per kind
    """Bring the desk up to date."""
    match event:
        case MessageReceived(message):
            desk.received(message)
        case Delivered(peer, seq):
            desk.delivered(peer, seq)
        case Read(peer, seq, user):
            desk.read(peer, seq, user)
        case Settled(message, result):
            desk.settled(message, result)
        case Deleted(peer, seqs, through):
            desk.deleted(peer, seqs, through)
        case Typing(peer, user) if user != desk.client.user:
            desk.company.types(peer, user)
        case PresenceChanged(status):
            desk.company.seen(status)
        case ContactChanged(contact):
            desk.acquaintances.add(contact.user)
            key = f"contact_news_{int(contact.state)}"
            if key in desk.texts:
                await desk.note(key, "class:news", user=contact.user, greeting=contact.greeting)
        case JoinRequested(request):
            desk.acquaintances.add(request.user)
            await desk.note("join_requested", "class:news", user=request.user, group=request.group)
        case JoinRefused(group, reason):
            await desk.note("join_refused", "class:news", group=group, reason=reason)
        case Reconnecting(delay_seconds=delay):
            connection.retry_at = time.monotonic() + delay
        case Connected(epoch_changed=restored):
            connection.retry_at = None
            if restored:
                await desk.start_over()
            desk.refresh_all()
