"""Pushes of the server that want no ack, as events (protocol §6)."""

from collections.abc import Iterator

from rockdove.client.events import ContactChanged, Delivered, Event, PresenceChanged, Read
from rockdove.wire import im_pb2 as pb


def read_push(request: pb.Request) -> Iterator[Event]:
    """The events in a push other than a MESSAGE. A type that this version does not know has none.

    Raises DecodeError when the payload does not parse.
    """
    if request.type == pb.RECEIPT:
        receipt = pb.Receipt.FromString(request.payload)
        if receipt.kind == pb.Receipt.DELIVERED:
            yield Delivered(int(receipt.chat), receipt.peer, receipt.seq)
        elif receipt.kind == pb.Receipt.READ:
            yield Read(int(receipt.chat), receipt.peer, receipt.seq, receipt.user)
    elif request.type == pb.PRESENCE:
        for item in pb.Presence.FromString(request.payload).event.items:
            yield PresenceChanged(item.user, int(item.state), item.last_seen, item.text, int(item.chat), item.peer)
    elif request.type == pb.CONTACT:
        contact = pb.Contact.FromString(request.payload)
        if contact.HasField("event"):
            yield ContactChanged(contact.event)
