"""Messages as they are handed to the database: sorted out, judged, in columns."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rockdove.core.errors import Refusal, StoreUnavailable
from rockdove.core.records import GROUPS_END, OPEN, Draft, Earlier, Outcome, counts
from rockdove.store.deciding import refusal_of
from rockdove.store.postgres.database import FATAL
from rockdove.store.postgres.rights import Rights, RightsView
from rockdove.store.postgres.tables import Rows, array, from_order, to_order

Key = tuple[int, int]  # (device, seqid)

# What Proposal.arguments are, for store_messages.
TYPES: Final = (
    *("text::bigint[]",) * 7,
    "text::integer[]",
    *("text::bigint[]",) * 5,
    "text::integer[]",
    "text::boolean[]",
    "bytea[]",
)

_REQUESTS: Final = (
    "SELECT r.device, r.seqid, r.msgid, r.seq FROM unnest($1::bigint[], $2::bigint[]) AS a (device, seqid)"
    " JOIN request r ON r.device = a.device AND r.seqid = a.seqid"
)


class Proposal:
    """A run of messages, in order. What is stored earlier, or not permitted, is set apart.

    Whoever judged by what is old, or did not know of a request, is told by the database, and proposes anew.
    """

    def __init__(self) -> None:
        self._drafts: list[Draft] = []  # those to be stored
        self._repeats: list[tuple[Draft, Draft]] = []  # with the draft of this run that it repeats
        self._first: dict[Key, Draft] = {}
        self._asked: dict[Key, None] = {}  # requests to be looked for
        self._refuses = False
        self._places: dict[int, int] = {}  # of conversations
        self.sizes: dict[int, int] = {}  # how many messages each conversation gets
        self._numbers: list[int] = []  # of the drafts, each within its conversation

    def __bool__(self) -> bool:
        """Whether the database has to be asked."""
        return bool(self._places)

    async def add(
        self,
        drafts: Sequence[Draft],
        rights: Mapping[int, Rights],
        earlier: Mapping[Key, Earlier],
        view: RightsView,
        now_ms: int,
        *,
        ask: bool = True,
    ) -> None:
        """Sort these out. `earlier` are requests that were found already; with `ask` permits are asked."""
        judged: dict[int, Refusal | None] = {}  # by id of the permit: all see the same, so each is asked once
        for draft in drafts:
            draft.outcome, draft.refusal = Outcome.STORED, None
            key = draft.device, draft.seqid
            if draft.seqid:
                if key in earlier:
                    repeat(draft, earlier[key])
                    continue
                if key in self._first:
                    self._repeats.append((draft, self._first[key]))
                    continue
                self._asked[key] = None
            self._places.setdefault(draft.conversation, 0)
            entry = rights.get(draft.conversation)
            draft.group_version = entry.group_version if entry else await _group_version(view, draft.conversation)
            if ask and draft.permit is not None:
                permit = id(draft.permit)
                if permit not in judged:
                    judged[permit] = await refusal_of(draft.permit.check(view, now_ms), FATAL)
                draft.refusal = judged[permit]
                if draft.refusal is not None:
                    self._refuses = True
                    draft.outcome = Outcome.REFUSED
                    continue
            self._first[key] = draft
            self._drafts.append(draft)

    @property
    def last_msgid(self) -> int:
        """Of those to be stored; 0 if there are none."""
        return self._drafts[-1].msgid if self._drafts else 0

    def arguments(self, rights: Mapping[int, Rights] | None) -> Sequence[Any]:
        """Those of store_messages; without `rights` versions do not matter."""
        conversations = sorted(self._places)
        places = self._places = {conversation: place for place, conversation in enumerate(conversations)}
        sizes = [0] * len(conversations)
        first = [OPEN] * len(conversations)
        last = [0] * len(conversations)
        numbers = self._numbers = []
        for draft in self._drafts:
            place = places[draft.conversation]
            sizes[place] += 1
            numbers.append(sizes[place])
            last[place] = draft.msgid
            if sizes[place] == 1:
                first[place] = draft.msgid
        drafts = self._drafts
        self.sizes = dict(zip(conversations, sizes, strict=True))
        versions = None if rights is None else array([rights[conversation].version for conversation in conversations])
        return (
            *(array(conversations), versions, array(sizes), array(first), array(last)),
            *self._asked_arrays(),
            array([places[draft.conversation] + 1 for draft in drafts]),
            *(array(numbers), array([draft.msgid for draft in drafts])),
            *(array([draft.device for draft in drafts]), array([to_order(draft.seqid) for draft in drafts])),
            *(array([draft.digest for draft in drafts]), array([draft.sender for draft in drafts])),
            array([counts(draft.body) for draft in drafts]),
            [draft.body + draft.sender_field for draft in drafts],
        )

    def _asked_arrays(self) -> tuple[str | None, str | None]:
        """If nothing is refused, the requests that are looked for are those that will be stored: they are not said twice."""
        if not self._refuses:
            return None, None
        return array([device for device, _ in self._asked]), array([to_order(seqid) for _, seqid in self._asked])

    def stored(self, heads: Sequence[int], given: Sequence[int] | None) -> None:
        """They are, behind these last seqs, and with these msgids if they are others than were proposed."""
        for draft, msgid in zip(self._drafts, given or (), strict=False):
            draft.msgid = msgid
        for draft, number in zip(self._drafts, self._numbers, strict=True):
            draft.place(heads[self._places[draft.conversation]] + number)
        self._settle_repeats()

    async def recall(self, rows: Rows) -> None:
        """They are stored, but the answer was lost. Raises StoreUnavailable if it cannot be told which they are."""
        found = await rows.fetch("SELECT msgid, seq FROM message WHERE msgid = ANY ($1)", [d.msgid for d in self._drafts])
        seqs = dict(found)
        renamed = [draft for draft in self._drafts if draft.msgid not in seqs]
        keys = [draft.device for draft in renamed], [to_order(draft.seqid) for draft in renamed]
        requests = {(device, seqid): (msgid, seq) for device, seqid, msgid, seq in await rows.fetch(_REQUESTS, *keys)}
        for draft, *key in zip(renamed, *keys, strict=True):
            if tuple(key) not in requests:
                raise StoreUnavailable("messages were stored, but not under which msgids is known; try again")
            draft.msgid, seq = requests[key[0], key[1]]
            seqs[draft.msgid] = seq
        for draft in self._drafts:
            draft.place(seqs[draft.msgid])
        self._settle_repeats()

    def _settle_repeats(self) -> None:
        for draft, first in self._repeats:
            repeat(draft, Earlier(first.msgid, first.seq, first.digest))


def earlier_of(found: Sequence[Sequence[int]]) -> dict[Key, Earlier]:
    """The requests that store_messages has found."""
    return {(device, from_order(seqid)): Earlier(*rest) for device, seqid, *rest in found}


async def _group_version(view: RightsView, conversation: int) -> int:
    group = await view.group(conversation) if conversation < GROUPS_END else None
    return group.version if group else 0


def repeat(draft: Draft, earlier: Earlier) -> None:
    """It was stored before."""
    draft.msgid, draft.seq = earlier.msgid, earlier.seq
    draft.outcome = Outcome.RETRY if earlier.digest == draft.digest else Outcome.CONFLICT
