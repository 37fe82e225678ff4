"""The order of what waits, and what bounds it."""

import pytest

from rockdove.client.errors import Refused
from rockdove.client.outbox import CAPACITY, IN_FLIGHT, Outbox
from rockdove.client.storage import Storage, Unsent
from rockdove.wire import im_pb2 as pb
from tests.unit.client.peer import OWNER


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(Storage(None, OWNER))


def drained(outbox: Outbox) -> list[Unsent]:
    messages = []
    while message := outbox.next():
        messages.append(message)
    return messages


def test_a_full_outbox_says_so(outbox: Outbox) -> None:
    for _ in range(CAPACITY):
        outbox.post((0, "bob"), b"x")
    with pytest.raises(Refused) as refusal:
        outbox.post((0, "bob"), b"x")
    assert refusal.value.code == pb.RESOURCE_EXHAUSTED
    assert len(outbox) == CAPACITY


def test_the_number_of_unanswered_messages_is_bounded(outbox: Outbox) -> None:
    outbox.login(0)
    for number in range(IN_FLIGHT + 5):
        outbox.post((0, f"user{number}"), b"x")
    flying = drained(outbox)
    assert len(flying) == IN_FLIGHT
    outbox.settle(flying[0], None)
    assert [message.key for message in drained(outbox)] == [(0, f"user{IN_FLIGHT}")]


def test_a_user_and_a_group_of_one_name_do_not_wait_for_each_other(outbox: Outbox) -> None:
    outbox.login(0)
    outbox.post((0, "team"), b"to the user")
    outbox.post((1, "team"), b"to the group")
    assert [message.body for message in drained(outbox)] == [b"to the user", b"to the group"]


def test_seqids_are_never_given_twice(outbox: Outbox) -> None:
    outbox.post((0, "bob"), b"offline")
    outbox.login(10)
    outbox.post((0, "bob"), b"online")
    outbox.lost()
    outbox.post((0, "bob"), b"offline again")
    outbox.login(11)
    seqids = [message.seqid for message in outbox]
    assert len(set(seqids)) == 3
    assert min(seqids) > 10


def test_what_a_restart_finds_keeps_its_order_and_what_may_be_stored_its_seqid() -> None:
    storage = Storage(None, OWNER)
    outbox = Outbox(storage)
    outbox.login(0)
    for number in range(5):
        outbox.post((0, "bob"), b"%d" % number)
    first = outbox.next()
    again = Outbox(storage)
    again.login(50)
    order = []
    while message := again.next():
        order.append(message)
        again.settle(message, None)
    assert [message.body for message in order] == [b"0", b"1", b"2", b"3", b"4"]
    assert order[0] == first
    assert all(message.seqid > 50 for message in order[1:])
