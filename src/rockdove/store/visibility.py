"""What of a log a user may see, as spans of seqs (protocol §7)."""

from collections.abc import Iterable, Iterator

from rockdove.core.records import Spans, next_span


def visible_spans(times: Iterable[tuple[int, int]], cleared_seq: int) -> Spans:
    """The times of a membership as (after, through) in any order, less all up to `cleared_seq`: as spans, merged."""
    spans: list[tuple[int, int]] = []
    for start, through in sorted(times):
        after = max(start, cleared_seq)
        if spans and after <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(through, spans[-1][1]))
        elif after < through:
            spans.append((after, through))
    return tuple(spans)


def parts(spans: Spans, after: int, last_seq: int) -> Iterator[tuple[int, int]]:
    """What the spans hold of a log that ends with `last_seq`, beyond `after`."""
    for start, through in spans:
        part = max(start, after), min(through, last_seq)
        if part[0] < part[1]:
            yield part


def last_visible(spans: Spans, last_seq: int) -> int:
    """The last seq of the log that may be seen, 0 if there is none."""
    return max((through for _, through in parts(spans, 0, last_seq)), default=0)


def is_owed(spans: Spans, cursor: int, last_seq: int) -> bool:
    """Whether a device with this cursor lacks something of a log that ends with `last_seq`, and that its user may see."""
    owed = next_span(spans, cursor)
    return owed is not None and owed[0] < last_seq
