"""The promises about groups: who may write, and that changes hold (protocol §7)."""

from collections.abc import Callable, Iterator, Sequence

from rockdove.wire import im_pb2 as pb
from tests.history.content import is_group, recalled
from tests.history.evidence import Evidence
from tests.history.group import GroupLog, holds, tells_of
from tests.history.promises import Promise, Violation

NOT_ALLOWED = (pb.PERMISSION_DENIED, pb.NOT_FOUND)


def only_members_write(evidence: Evidence) -> Iterator[Violation]:
    """What is in the log was sent by somebody who might, just before it."""
    for (conversation, seq), author in evidence.authors.items():
        if author and is_group(conversation) and not recalled(author.content):  # one who is muted may take back
            before = evidence.groups[conversation].states[seq - 1]
            if not before.may_post(author.device[0]):
                yield Violation(Promise.FORBIDDEN, f"{author} is {conversation} seq {seq}")


def members_are_not_refused(evidence: Evidence) -> Iterator[Violation]:
    """Who is told that he may not write could not, at some time between question and answer."""
    for send in evidence.sends.values():
        if not is_group(send.conversation):
            continue
        group = evidence.groups.get(send.conversation, GroupLog({}, 0, history_for_new=False))
        for attempt in send.attempts:
            if attempt.refusal in NOT_ALLOWED:
                span = evidence.span_of(send.conversation, attempt.at, attempt.answered_at)
                if all(state.may_post(send.device[0]) for state in group.between(*span)):
                    yield Violation(Promise.WRONGLY_REFUSED, f"{send} was refused between seq {span[0]} and {span[1]}")


def changes_hold(evidence: Evidence) -> Iterator[Violation]:
    """What was answered with success was so, at some time between question and answer."""
    for asks in evidence.asks.values():
        for ask in asks:
            if ask.code != pb.OK:
                continue
            span = evidence.span_of(ask.conversation, ask.at, ask.answered_at)
            group = evidence.groups.get(ask.conversation, GroupLog({}, 0, history_for_new=False))
            if not any(holds(ask.request, ask.user, state) for state in group.between(*span)):
                detail = f"{ask.user} asked for {str(ask.request).split()} in {ask.conversation}, seq {span[0]} to {span[1]}"
                yield Violation(Promise.CHANGE_LOST, detail)


def notices_tell_of_changes(evidence: Evidence) -> Iterator[Violation]:
    """Every notice was asked for, by its actor, and tells something new."""
    for conversation, group in evidence.groups.items():
        asks = list(evidence.asked_for(conversation))
        for place in (place for place in evidence.log if place[0] == conversation and evidence.is_notice(place)):
            notice = pb.Notice.FromString(evidence.log[place].content)
            detail = f"{conversation} seq {place[1]} {notice.kind} by {notice.actor} of {list(notice.users)}"
            if not any(ask.user == notice.actor and tells_of(notice, ask.request) for ask in asks):
                yield Violation(Promise.INVENTED, detail)
            if place[1] in group.idle:
                yield Violation(Promise.DOUBLED, detail)


GROUP_RULES: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
    only_members_write,
    members_are_not_refused,
    changes_hold,
    notices_tell_of_changes,
)
