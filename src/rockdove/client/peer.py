"""Whom a conversation is with: a user's name, or a Group."""

from dataclasses import dataclass

from rockdove.wire import im_pb2 as pb

Key = tuple[int, str]  # (Chat, name): the same as the wire and the outbox file have it


@dataclass(frozen=True, slots=True)
class Group:
    """A group, by its id: what `str` is for a user, everywhere."""

    id: str

    def __str__(self) -> str:
        return f"#{self.id}"


Peer = str | Group


def key_of(peer: Peer) -> Key:
    """The conversation with `peer`."""
    return (pb.GROUP_CHAT, peer.id) if isinstance(peer, Group) else (pb.SINGLE, peer)


def peer_of(chat: int, name: str) -> Peer:
    """The other way round."""
    return name if chat == pb.SINGLE else Group(name)


def wire_chat(peer: Peer) -> pb.Chat:
    """What kind of name it is, in a request."""
    return pb.GROUP_CHAT if isinstance(peer, Group) else pb.SINGLE


def wire_name(peer: Peer) -> str:
    """The bare name, in a request."""
    return peer.id if isinstance(peer, Group) else peer
