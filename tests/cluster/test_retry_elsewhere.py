"""A node dies while it stores a message: the same request at another node stores it, or finds it stored; once in any case."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from rockdove.wire import im_pb2 as pb
from tests.cluster.installation import Installation, in_thread
from tests.cluster.last_words import LAST_WORDS, MOMENTS
from tests.process import PASSWORD
from tests.raw import RawClient, sending, text_message, text_of

PROGRAM = (sys.executable, str(Path(__file__).with_name("last_words.py")))
WORDS = text_message("bob", LAST_WORDS.decode())
STALL_SECONDS = 8.0  # the database lets go of a frozen node's locks after 3 s; the rest is for a busy machine

pytestmark = pytest.mark.crash


async def online(port: int, user: str, device: str = "phone") -> RawClient:
    client = await RawClient.connect(port)
    conack = await client.login(user, PASSWORD, device)
    assert conack.status == pb.STATUS_OK, conack
    return client


def test_a_retry_at_another_node_gets_the_answer_that_the_first_node_died_over(tmp_path: Path) -> None:
    async def scenario(installation: Installation, number: int, moment: str) -> None:
        installation.start("two", (*PROGRAM, moment))
        await in_thread(installation.until_ready, "two")
        bob = await online(installation.port("one"), "bob")
        alice = await online(installation.port("two"), "alice")
        alice.write(sending(number, WORDS))
        assert await alice.disconnected() is None
        await alice.close()
        assert await asyncio.to_thread(installation.nodes["two"].wait) == -9

        alice = await online(installation.port("one"), "alice")
        answers = [await alice.send(number, WORDS) for _ in range(2)]
        assert answers[0] == answers[1]
        sent = pb.Sent.FromString(answers[0].payload)
        assert (answers[0].code, sent.seq) == (pb.OK, number)
        message = await bob.next_message()  # the retry reminds of what was stored by a node that died before it told anybody
        assert (message.msgid, message.seq, text_of(message)) == (sent.msgid, number, LAST_WORDS.decode())
        bob.ack(message.msgid)
        await bob.ping()
        log = await alice.pull("bob")
        assert [message.seq for message in log.messages] == list(range(1, number + 1))
        await alice.close()
        await bob.close()

    with Installation.running(tmp_path, ("alice", "bob"), ("one",), more=("two",)) as installation:
        for number, moment in enumerate(MOMENTS, 1):
            asyncio.run(scenario(installation, number, moment))


def test_a_node_that_is_frozen_with_a_conversation_locked_holds_up_the_others_for_seconds_only(tmp_path: Path) -> None:
    async def scenario(installation: Installation) -> None:
        installation.start("two", (*PROGRAM, "locked"))
        await in_thread(installation.until_ready, "two")
        alice = await online(installation.port("two"), "alice")
        bob = await online(installation.port("one"), "bob")
        alice.write(sending(1, WORDS))
        await in_thread(installation.postgres.sql, HELD)
        began = time.monotonic()
        while (answer := await bob.send(1, text_message("alice", "are you there?"))).code == pb.UNAVAILABLE:
            pass
        stalled = time.monotonic() - began
        print(f"a conversation locked by a frozen node: {stalled:.2f} s until others write there")
        assert (answer.code, pb.Sent.FromString(answer.payload).seq) == (pb.OK, 1)
        assert stalled < STALL_SECONDS

        installation.thaw("two")
        answer = await alice.answer(1)  # it finds that its transaction is no more, and begins anew
        assert (answer.code, pb.Sent.FromString(answer.payload).seq) == (pb.OK, 2)
        await alice.close()
        await bob.close()

    with Installation.running(tmp_path, ("alice", "bob"), ("one",), more=("two",)) as installation:
        asyncio.run(scenario(installation))


# Waits until somebody holds a lock on a conversation and is idle.
HELD = """
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'rockdove'
                      AND query ILIKE '%FOR NO KEY UPDATE%')
    LOOP PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); END LOOP;
END $$
"""
