"""Asking permits and rules. `permitted` and `decide` are for stores whose reads do not suspend."""

from collections.abc import Awaitable, Coroutine
from typing import Any

from rockdove.core.errors import OUR_FAULT, Refusal
from rockdove.core.ports import View
from rockdove.core.records import Batch, Change, Draft, DraftRun, Outcome
from rockdove.wire import im_pb2 as pb


def permitted(draft: Draft | DraftRun, view: View, now_ms: int) -> bool:
    """Ask the draft's permit, if it has one; if it refuses, the draft is told."""
    if draft.permit is None:
        return True
    refusal = _refusal_of(draft.permit.check(view, now_ms))
    if refusal is not None:
        draft.outcome, draft.refusal = Outcome.REFUSED, refusal
    return refusal is None


def decide(change: Change, view: View, now_ms: int) -> bool:
    """Ask the change's rule: now `effects` are known, or the change, and its draft, are told of the refusal."""

    async def ask() -> None:
        change.effects = list(await change.rule.decide(view, now_ms, change.msgids))

    change.refusal = _refusal_of(ask())
    if change.refusal is not None and change.draft is not None:
        change.draft.outcome, change.draft.refusal = Outcome.REFUSED, change.refusal
    return change.refusal is None


async def refusal_of(work: Awaitable[Any], fatal: tuple[type[Exception], ...]) -> Refusal | None:
    """Wait for a permit or rule. A fault in it concerns nobody else in the batch; `fatal` errors do, and are raised."""
    try:
        await work
    except Refusal as refusal:
        return refusal
    except fatal:
        raise
    except Exception as error:
        return fault_of(error)
    return None


def fault_of(error: Exception) -> Refusal:
    """How a request is refused that fails by a mistake of ours."""
    fault = Refusal(pb.INTERNAL, OUR_FAULT)
    fault.__cause__ = error
    return fault


def refuse(batch: Batch, refusal: Refusal) -> None:
    """Refuse all messages and changes of a batch."""
    drafts = [*batch.messages, *(change.draft for _, change in batch.changes if change.draft is not None)]
    for _, change in batch.changes:
        change.forget()
        change.refusal = refusal
    for draft in drafts:
        draft.forget()
        draft.outcome, draft.refusal = Outcome.REFUSED, refusal


def _refusal_of(work: Coroutine[Any, Any, None]) -> Refusal | None:
    """Run `work` to its end. A fault in it concerns nobody else in the batch."""
    try:
        work.send(None)
    except StopIteration:
        return None
    except Refusal as refusal:
        return refusal
    except Exception as error:
        return fault_of(error)
    work.close()
    raise RuntimeError("a permit or rule waited for something else than the view")
