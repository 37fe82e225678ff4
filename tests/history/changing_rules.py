"""The promises about messages that change earlier ones (protocol §7)."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.history.content import edited, recalled
from tests.history.events import LoggedIn, LogsIn, Pulled, Received
from tests.history.evidence import Evidence
from tests.history.promises import Promise, Violation


@dataclass(frozen=True, slots=True)
class _Step:
    """A recall or an edit that was stored."""

    seq: int
    msgid: int
    answered_at: int  # as index in the history
    words: bytes  # of an edit


def _steps(evidence: Evidence) -> tuple[Mapping[int, list[_Step]], Mapping[int, list[_Step]]]:
    """Recalls and edits, by the msgid that they change."""
    recalls, edits = defaultdict[int, list[_Step]](list), defaultdict[int, list[_Step]](list)
    for place, author in sorted(evidence.authors.items()):
        if author is None:
            continue
        msgid = evidence.log[place].msgid
        answered_at = author.first_answer_at if author.answers else len(evidence.history)
        if target := recalled(author.content):
            recalls[target].append(_Step(place[1], msgid, answered_at, b""))
        target, words = edited(author.content)
        if target:
            edits[target].append(_Step(place[1], msgid, answered_at, words))
    return recalls, edits


def changes_reach_who_comes_later(evidence: Evidence) -> Iterator[Violation]:
    """After the answer, who asks to come online gets a recalled message without content, and an edited one with its newest.

    And no message is without its content, or edited, that was not changed.
    """
    recalls, edits = _steps(evidence)
    # With a message its edits are recalled.
    gone = {edit.msgid: steps for target, steps in recalls.items() for edit in edits[target]} | dict(recalls)
    logins: dict[int, int] = {}
    for at, event in enumerate(evidence.history):
        if isinstance(event, LogsIn | LoggedIn):
            logins.setdefault(event.connection, at)
    for event in evidence.history:
        if not isinstance(event, Received | Pulled):
            continue
        login, detail = logins[event.connection], f"{evidence.device(event)} got {event}"
        recalled_before = any(step.answered_at < login for step in gone.get(event.msgid, ()))
        if event.removed and event.msgid not in gone:
            yield Violation(Promise.ALTERED, f"{detail} without its content, which nobody recalled")
        if recalled_before and not event.removed:
            yield Violation(Promise.RECALL_LOST, detail)
        if event.removed:
            continue
        steps = edits.get(event.msgid, [])
        newest = max((step.seq for step in steps if step.answered_at < login), default=0)
        if newest and event.edited not in {step.words for step in steps if step.seq >= newest}:
            yield Violation(Promise.EDIT_LOST, detail)
        if event.edited and event.edited not in {step.words for step in steps}:
            yield Violation(Promise.ALTERED, f"{detail} edited, which nobody asked for")


CHANGING_RULES: Sequence[Callable[[Evidence], Iterator[Violation]]] = (changes_reach_who_comes_later,)
