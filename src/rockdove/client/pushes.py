"""Pushes of the server that want no ack, as events (protocol §6)."""

from collections.abc import Iterator

from rockdove.client.contacts import read_contact
from rockdove.client.events import (
    ContactChanged,
    Deleted,
    Delivered,
    Event,
    JoinRefused,
    JoinRequested,
    PresenceChanged,
    Read,
    Typing,
)
from rockdove.client.groups import JoinRequest
from rockdove.client.peer import Group, peer_of
from rockdove.client.presence import read_status
from rockdove.wire import im_pb2 as pb


def read_push(request: pb.Request, me: str) -> Iterator[Event]:
    """The events in a push other than a MESSAGE, for the user `me`. A type that this version does not know has none.

    Raises DecodeError when the payload does not parse.
    """
    if request.type == pb.RECEIPT:
        yield from _receipt(pb.Receipt.FromString(request.payload))
    elif request.type == pb.PRESENCE:
        for item in pb.Presence.FromString(request.payload).event.items:
            yield _presence(item, me)
    elif request.type == pb.CONTACT:
        contact = pb.Contact.FromString(request.payload)
        if contact.HasField("event"):
            yield ContactChanged(read_contact(contact.event))
    elif request.type == pb.GROUP:
        group = pb.Group.FromString(request.payload)
        if group.HasField("event"):
            yield _join_request(group.event)
    elif request.type == pb.SYNC:
        sync = pb.Sync.FromString(request.payload)
        if sync.HasField("hide"):
            hide = sync.hide
            yield Deleted(peer_of(hide.chat, hide.peer), tuple(hide.seqs), hide.through)


def _receipt(receipt: pb.Receipt) -> Iterator[Event]:
    peer = peer_of(receipt.chat, receipt.peer)
    if receipt.kind == pb.Receipt.DELIVERED:
        yield Delivered(peer, receipt.seq)
    elif receipt.kind == pb.Receipt.READ:
        yield Read(peer, receipt.seq, receipt.user)


def _presence(item: pb.PresenceState, me: str) -> Event:
    if item.state != pb.Presence.TYPING:
        return PresenceChanged(read_status(item))
    # Between two, the one who writes is the peer; unless it is this user, on another device.
    with_writer = item.chat == pb.SINGLE and item.user != me
    return Typing(item.user if with_writer else peer_of(item.chat, item.peer), item.user)


def _join_request(event: pb.GroupRequest) -> Event:
    group = Group(event.id)
    return JoinRefused(group, event.reason) if event.refused else JoinRequested(JoinRequest(group, event.user, event.asked_at))
