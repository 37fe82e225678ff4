"""Messages as they are handed to the database: sorted out, judged, in columns."""

from collections.abc import Mapping, Sequence
from itertools import islice
from operator import lt
from typing import Any, Final

from rockdove.core.errors import Refusal, StoreUnavailable
from rockdove.core.ports import Permit
from rockdove.core.records import GROUPS_END, OPEN, Draft, DraftRun, Earlier, Outcome
from rockdove.store.deciding import refusal_of
from rockdove.store.postgres.database import FATAL
from rockdove.store.postgres.pieces import Piece, pieces_of, pieces_of_run
from rockdove.store.postgres.rights import Rights, RightsView
from rockdove.store.postgres.tables import Rows, array, to_order

Key = tuple[int, int]  # (device, seqid)

# What Proposal.arguments are, for store_messages.
TYPES: Final = (
    *("text::bigint[]",) * 7,
    "text::integer[]",
    *("text::bigint[]",) * 4,
    *("text::integer[]", "text::smallint[]", "text::boolean[]", "bytea[]"),
)

_BY_MSGIDS: Final = "SELECT last_msgid, last_seq FROM chunk WHERE last_msgid = ANY ($1)"
_BY_REQUESTS: Final = (
    "SELECT c.device, c.last_seqid, c.last_msgid, c.last_seq FROM unnest($1::bigint[], $2::bigint[]) AS a (device, seqid)"
    " JOIN chunk c ON c.device = a.device AND c.last_seqid = a.seqid"
)


class Proposal:
    """Runs, and then messages, in order. What is stored earlier, or not permitted, is set apart.

    Whoever judged by what is old, or did not know of a request, is told by the database, and proposes anew.
    """

    def __init__(self, rights: Mapping[int, Rights], earlier: Mapping[Key, Earlier], view: RightsView, now_ms: int) -> None:
        """`earlier` are requests that were found already; permits ask the `view`."""
        self._rights = rights
        self._earlier = earlier
        self._view = view
        self._now_ms = now_ms
        self._runs: dict[int, DraftRun] = {}  # to be stored, by device
        self._drafts: list[Draft] = []  # likewise
        self._pieces: list[Piece] = []  # what both become
        self._repeats: list[tuple[Draft, Draft]] = []  # with the draft that it repeats
        self._first: dict[Key, Draft] = {}
        self._asked: list[Key] = []  # requests of drafts, to be looked for
        self._judged: dict[int, Refusal | None] = {}  # by id of the permit: all see the same, so each is asked once
        self._refuses = False
        self._places: dict[int, int] = {}  # of conversations
        self.sizes: dict[int, int] = {}  # how many messages each conversation gets

    def __bool__(self) -> bool:
        """Whether the database has to be asked."""
        return bool(self._places)

    async def add_runs(self, runs: Sequence[DraftRun], drafts: Sequence[Draft]) -> list[DraftRun]:
        """Add runs. Returns those that are no plain case, beside these drafts, too: to be unfolded, and proposed anew."""
        turned_down = {run.device: run for run in runs if not await self._add_run(run)}
        for draft in drafts if self._runs else ():
            run = self._runs.get(draft.device)
            if run is not None and run.seqids[0] <= draft.seqid <= run.seqids[-1]:
                turned_down[run.device] = run
        return list(turned_down.values())

    async def _add_run(self, run: DraftRun) -> bool:
        """Unless one of its messages may be a retry, or it is not permitted."""
        seqids = run.seqids
        if run.device in self._runs or not all(map(lt, seqids, islice(seqids, 1, None))):
            return False
        if self._earlier and any((run.device, seqid) in self._earlier for seqid in seqids):
            return False
        if run.permit is not None and await self._judge(run.permit) is not None:
            return False
        self._runs[run.device] = run
        run.group_version = await self._open(run.conversation)
        return True

    async def add(self, drafts: Sequence[Draft], *, ask: bool = True) -> None:
        """Sort these out; with `ask` permits are asked."""
        for draft in drafts:
            draft.outcome, draft.refusal = Outcome.STORED, None
            key = draft.device, draft.seqid
            if draft.seqid:
                if key in self._earlier:
                    repeat(draft, self._earlier[key])
                    continue
                if key in self._first:
                    self._repeats.append((draft, self._first[key]))
                    continue
                self._asked.append(key)
            draft.group_version = await self._open(draft.conversation)
            if ask and draft.permit is not None:
                draft.refusal = await self._judge(draft.permit)
                if draft.refusal is not None:
                    self._refuses = True
                    draft.outcome = Outcome.REFUSED
                    continue
            self._first[key] = draft
            self._drafts.append(draft)

    async def _judge(self, permit: Permit) -> Refusal | None:
        key = id(permit)
        if key not in self._judged:
            self._judged[key] = await refusal_of(permit.check(self._view, self._now_ms), FATAL)
        return self._judged[key]

    async def _open(self, conversation: int) -> int:
        """It is one of those that are judged by; returns the version of its group."""
        self._places.setdefault(conversation, 0)
        entry = self._rights.get(conversation)
        if entry is not None:
            return entry.group_version
        group = await self._view.group(conversation) if conversation < GROUPS_END else None
        return group.version if group else 0

    @property
    def keys(self) -> list[Key]:
        """The requests that are looked for."""
        return [*self._asked, *((run.device, seqid) for run in self._runs.values() for seqid in run.seqids)]

    @property
    def last_msgid(self) -> int:
        """Of those to be stored; 0 if there are none."""
        return max((piece.last_msgid for piece in self._pieces), default=0)

    def arguments(self, *, versions: bool) -> Sequence[Any]:
        """Those of store_messages; without `versions` it does not matter by what was judged."""
        pieces = self._pieces = [piece for run in self._runs.values() for piece in pieces_of_run(run)]
        pieces += pieces_of(self._drafts)
        conversations = sorted(self._places)
        places = self._places = {conversation: place for place, conversation in enumerate(conversations)}
        sizes = [0] * len(conversations)
        first = [OPEN] * len(conversations)
        last = [0] * len(conversations)
        for piece in pieces:
            place = places[piece.conversation]
            if not sizes[place]:
                first[place] = piece.first_msgid
            piece.number = sizes[place] = sizes[place] + piece.size
            last[place] = piece.last_msgid
        self.sizes = dict(zip(conversations, sizes, strict=True))
        return (
            array(conversations),
            array([self._rights[conversation].version for conversation in conversations]) if versions else None,
            *(array(sizes), array(first), array(last)),
            *self._asked_arrays(),
            array([places[piece.conversation] + 1 for piece in pieces]),
            *(array([piece.number for piece in pieces]), array([piece.last_msgid for piece in pieces])),
            *(array([piece.device for piece in pieces]), array([to_order(piece.last_seqid) for piece in pieces])),
            *(array([piece.sender for piece in pieces]), array([piece.size for piece in pieces])),
            *(array([piece.counted for piece in pieces]), [piece.records for piece in pieces]),
        )

    def _asked_arrays(self) -> tuple[str | None, str | None]:
        """If nothing is refused, the requests that are looked for are those that will be stored: they are not said twice."""
        if not self._refuses:
            return None, None
        keys = self.keys
        return array([device for device, _ in keys]), array([to_order(seqid) for _, seqid in keys])

    def stored(self, heads: Sequence[int], given: Sequence[int | None] | None) -> None:
        """They are, behind these last seqs; a piece whose last msgid is `given` has others than were proposed."""
        for piece, last_msgid in zip(self._pieces, given or (), strict=False):
            if last_msgid is not None:
                piece.rename(last_msgid)
        for piece in self._pieces:
            piece.place(heads[self._places[piece.conversation]] + piece.number)
        self._settle_repeats()

    async def recall(self, rows: Rows) -> None:
        """They are stored, but the answer was lost. Raises StoreUnavailable if it cannot be told which they are."""
        pieces = self._pieces
        seqs = dict(await rows.fetch(_BY_MSGIDS, [piece.last_msgid for piece in pieces]))
        renamed = [piece for piece in pieces if piece.last_msgid not in seqs]
        keys = [piece.device for piece in renamed], [to_order(piece.last_seqid) for piece in renamed]
        requests = {(device, seqid): (msgid, seq) for device, seqid, msgid, seq in await rows.fetch(_BY_REQUESTS, *keys)}
        for piece, *key in zip(renamed, *keys, strict=True):
            if not piece.last_seqid or tuple(key) not in requests:
                raise StoreUnavailable("messages were stored, but not under which msgids is known; try again")
            msgid, seq = requests[key[0], key[1]]
            piece.rename(msgid)
            seqs[msgid] = seq
        for piece in pieces:
            piece.place(seqs[piece.last_msgid])
        self._settle_repeats()

    def _settle_repeats(self) -> None:
        for draft, first in self._repeats:
            repeat(draft, Earlier(first.msgid, first.seq, first.digest))


def repeat(draft: Draft, earlier: Earlier) -> None:
    """It was stored before."""
    draft.msgid, draft.seq = earlier.msgid, earlier.seq
    draft.outcome = Outcome.RETRY if earlier.digest == draft.digest else Outcome.CONFLICT
