"""The other nodes of the store: who they are, and what they are asked."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from google.protobuf.message import DecodeError

from rockdove.core import news_pb2 as news
from rockdove.core.errors import StoreUnavailable
from rockdove.core.ports import Bus, Log, Nodes
from rockdove.core.records import NodeState
from rockdove.core.topics import NODES, node_topic

BEAT_MS: Final = 2_000  # how often a node says that it is alive
WHO_MS: Final = 500  # for all the others to answer
HOLDS_MS: Final = 500  # for another node to say whether a device is there
REPLACE_MS: Final = 3_000  # for another node to end a session; if it does not, it does at the next heartbeat


class Neighbours:
    """Asks other nodes. Alone, it asks nobody."""

    def __init__(self, nodes: Nodes | None, bus: Bus | None, describe: Callable[[], NodeState], log: Log) -> None:
        """`describe` tells how this node is."""
        self._nodes = nodes
        self._bus = bus
        self._describe = describe
        self._log = log
        self._waits = False  # the store did not take the last beat
        self.beats = 0  # that the store has taken, since the start
        self.living: dict[int, NodeState] = {}  # the others, by number
        self.on_gone: Callable[[int], None] = lambda _: None  # a node that was living is not any more

    @property
    def number(self) -> int:
        """Of this node; 0 where there is only one."""
        return self._nodes.number if self._nodes is not None else 0

    async def beat(self) -> bool:
        """Say that this node is alive, and hear who is; False if that could not be said."""
        if self._nodes is None:
            return False
        try:
            states = await self._nodes.beat(self._describe())
        except StoreUnavailable as error:
            if not self._waits:  # said once, not with every try
                self._waits = True
                self._log.warning("beat_waits", reason=str(error))
            return False
        self._waits = False
        self.beats += 1
        before, self.living = self.living, {state.number: state for state in states if state.number != self.number}
        for number in self.living.keys() - before.keys():
            self._log.info("node_joined", node=number, name=self.living[number].name)
        for number in before.keys() - self.living.keys():
            self._log.info("node_gone", node=number, name=before[number].name)
            self.on_gone(number)
        return True

    async def leave(self) -> None:
        """This node ends."""
        if self._nodes is not None:
            await self._nodes.leave()

    async def replace(self, holder: int, user: int, device: str, login: int, waited_ms: int) -> bool:
        """Have the node that holds an older session of the device end it. Returns when that is done, or has to do without.

        `waited_ms` is how long ago the Connect came. True: the session there is of a clearly newer Connect, and stays.
        """
        question = news.Question(replace=news.Replace(user=user, device=device, login=login, waited_ms=waited_ms))
        answers = await self._ask(node_topic(holder), question, 1, REPLACE_MS)
        if not answers and self.living:  # it may have died before it had ended the session that it took the device from
            answers = await self._ask(NODES, question, len(self.living), WHO_MS)
        return any(answer.held for answer in answers)

    async def holds(self, node: int, user: int, device: str, waited_ms: int) -> bool:
        """Whether the device is at that node, or logs in there, by a Connect that is not clearly older than one so long ago.

        A node that gives no answer counts as having it, unless it is dead. One that is not known yet may be new.
        """
        question = news.Question(holds=news.Holds(user=user, device=device, waited_ms=waited_ms))
        answers = await self._ask(node_topic(node), question, 1, HOLDS_MS)
        return answers[0].held if answers else not self.beats or node in self.living

    async def who(self, users: Collection[int]) -> Sequence[news.Here]:
        """How these users are on the other nodes; who is not there is left out. A node that does not answer counts as empty."""
        if not self.living or not users:
            return []
        answers = await self._ask(NODES, news.Question(who=news.Who(users=users)), len(self.living), WHO_MS)
        return [here for answer in answers for here in answer.here]

    async def _ask(self, topic: str, question: news.Question, answers: int, timeout_ms: int) -> list[news.Answer]:
        if self._bus is None:
            return []
        found: list[news.Answer] = []
        for data in await self._bus.ask(topic, question.SerializeToString(), answers, timeout_ms):
            try:
                found.append(news.Answer.FromString(data))
            except DecodeError:
                self._log.warning("answer_unreadable", topic=topic)
        return found
