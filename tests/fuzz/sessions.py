"""A node that is fed anything at all, and what it may do about it."""

from rockdove.wire import im_pb2 as pb
from tests.protocol.changing import make_group, say_in
from tests.protocol.client import Client
from tests.protocol.storage import MemoryStorage
from tests.protocol.virtual import VirtualWorld
from tests.protocol.world import live
from tests.raw import text_of

OWN_GROUP = "hers"  # of the user who is fed to the server; she is a member of another, too
ALLOWED_ENDS = {pb.PROTOCOL_ERROR, pb.FRAME_TOO_LARGE, pb.LOGIN_REQUIRED}  # for anything wrong with the bytes
ALLOWED_CODES = set(pb.Code.values()) - {pb.INTERNAL, pb.UNAVAILABLE}


class Target:
    """A server with a healthy pair, and one connection to feed."""

    def __init__(self, *, logged_in: bool) -> None:
        self.world = VirtualWorld(MemoryStorage())
        self._alice, self._bob = (live(self.world, name, "healthy-device") for name in ("alice", "bob"))
        self.client = self.world.connect("203.0.113.1")
        if logged_in:
            self.client.login("carol", device="fuzz")
            make_group(self._alice, "bob", "carol")
            make_group(self.client, "alice", group=OWN_GROUP)
            self.client.say("bob", "a message to change")
            say_in(self.client, "another one")
        self._said = 0

    def feed(self, data: bytes) -> None:
        """Send bytes, and see that everybody else is served as ever."""
        self.client.write_bytes(data)
        self._said += 1
        self._alice.say("bob", f"message {self._said}")
        heard = [message for message in self._bob.messages() if getattr(message, "from") == "alice"]
        assert text_of(heard[-1]) == f"message {self._said}"
        self._bob.ack(*(message.msgid for message in heard))
        self._check(self.client)

    def end(self) -> None:
        """Let all deadlines pass; nothing may be left behind but what is documented."""
        self.world.clock.advance(100_000)
        self._check(self.client)
        assert self.client.pipe.ended
        assert len(self.world.node.registry) <= 2
        assert not self.world.journal.faults, "\n".join(self.world.journal.faults)

    def _check(self, client: Client) -> None:
        for command in client.everything():
            if command.HasField("disconnect"):
                assert command.disconnect.code in ALLOWED_ENDS | {pb.HEARTBEAT_TIMEOUT}, command
                assert command.disconnect.reason
            elif command.HasField("response"):
                assert command.response.code in ALLOWED_CODES, command
                assert bool(command.response.reason) == (command.response.code != pb.OK)
            elif command.HasField("conack"):
                assert command.conack.status == pb.STATUS_OK or command.conack.code in ALLOWED_CODES - {pb.OK}
            else:
                assert command.HasField("request") or command.HasField("pong"), command
        assert not self.world.journal.faults, "\n".join(self.world.journal.faults)
