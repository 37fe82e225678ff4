"""What tests of changed, deleted and searched messages say to a server."""

from typing import Any

from rockdove.wire import im_pb2 as pb
from tests.protocol.client import Client
from tests.protocol.world import World, live
from tests.raw import text_message, text_of

GROUP = "crew"


def in_group(message: pb.Message) -> pb.Message:
    """The same, to a group."""
    message.chat = pb.GROUP_CHAT
    return message


def recall_of(to: str, msgid: int) -> pb.Message:
    return pb.Message(type=pb.RECALL, to=to, payload=pb.Change(msgid=msgid).SerializeToString())


def edit_of(to: str, msgid: int, text: str) -> pb.Message:
    content = pb.MessageTxt(txt=text).SerializeToString()
    return pb.Message(type=pb.EDIT, to=to, payload=pb.Change(msgid=msgid, type=pb.TXT, payload=content).SerializeToString())


def reaction_of(to: str, msgid: int, emoji: str, *, removed: bool = False) -> pb.Message:
    reaction = pb.Reaction(msgid=msgid, emoji=emoji, removed=removed)
    return pb.Message(type=pb.REACTION, to=to, payload=reaction.SerializeToString())


def done(client: Client, message: pb.Message, seqid: int = 0) -> pb.Sent:
    """Send what must be stored."""
    answer = client.send(message, seqid)
    assert answer.code == pb.OK, answer
    return pb.Sent.FromString(answer.payload)


def say_in(client: Client, text: str, group: str = GROUP) -> pb.Sent:
    """Send a text to a group that must arrive."""
    return done(client, in_group(text_message(group, text)))


def ask_group(client: Client, **operation: Any) -> pb.Response:
    """A request about a group that must succeed."""
    answer = client.ask(pb.GROUP, pb.Group(**operation).SerializeToString())
    assert answer.code == pb.OK, answer
    return answer


def make_group(owner: Client, *members: str, group: str = GROUP, **policy: Any) -> None:
    """A group with these members; its log begins with the notice of it."""
    ask_group(owner, create=pb.GroupCreate(id=group, name="Crew", members=members, policy=pb.GroupPolicy(**policy)))


def leave(client: Client, group: str = GROUP) -> None:
    ask_group(client, leave=pb.GroupRef(id=group))


def invite(client: Client, *users: str, group: str = GROUP) -> None:
    ask_group(client, invite=pb.GroupUsers(id=group, users=users))


def block(client: Client, user: str) -> None:
    """Have `client` block somebody."""
    assert client.ask(pb.CONTACT, pb.Contact(block=pb.ContactRef(user=user)).SerializeToString()).code == pb.OK


def pull_one(client: Client, peer: str, seq: int, **fields: Any) -> pb.Message:
    """One message of the log."""
    (message,) = client.pull(peer, after=seq - 1, limit=1, **fields).messages
    assert message.seq == seq
    return message


def conversation(client: Client, peer: str) -> pb.Conversation:
    """One of the user's conversations."""
    (found,) = (item for item in client.conversations().items if item.peer == peer)
    return found


def hide(client: Client, peer: str, *seqs: int, **fields: Any) -> pb.Response:
    """Delete for me; the answer."""
    return client.ask(pb.SYNC, pb.Sync(hide=pb.Hide(peer=peer, seqs=seqs, **fields)).SerializeToString())


def hides(client: Client) -> list[pb.Hide]:
    """The deletions of other devices that came by now."""
    pushes = client.pushes(pb.SYNC)
    assert all(push.seqid == 0 for push in pushes), "they want no ack"
    return [pb.Sync.FromString(push.payload).hide for push in pushes]


def search(client: Client, text: str, **fields: Any) -> pb.Found:
    """One page of what is found."""
    answer = client.ask(pb.SYNC, pb.Sync(search=pb.Search(text=text, **fields)).SerializeToString())
    assert answer.code == pb.OK, answer
    return pb.Found.FromString(answer.payload)


def found(client: Client, text: str, **fields: Any) -> list[str]:
    """The texts on the pages of a search, newest first."""
    texts: list[str] = []
    page = search(client, text, **fields)
    texts += map(text_of, page.messages)
    while page.next:
        page = search(client, text, after=page.next, **fields)
        texts += map(text_of, page.messages)
    return texts


def exposed(world: World, user: str, peer: str, chat: pb.Chat = pb.SINGLE) -> bytes:
    """Every byte that a device of the user gets to read of a conversation: backlog, Pull both ways, list, search."""
    client = live(world, user, "auditor")
    payloads = [push.payload for push in client.pushes()]
    for sync in (
        pb.Sync(pull=pb.Pull(chat=chat, peer=peer, limit=200)),
        pb.Sync(pull=pb.Pull(chat=chat, peer=peer, before=1 << 40, limit=200)),
        pb.Sync(conversations=pb.ListConversations()),
        pb.Sync(search=pb.Search(text="secret")),
        pb.Sync(search=pb.Search(text="whisper")),
    ):
        answer = client.ask(pb.SYNC, sync.SerializeToString())
        assert answer.code == pb.OK, answer
        payloads.append(answer.payload)
    client.pipe.hang_up()
    return b"\n".join(payloads)
