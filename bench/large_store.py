"""Fill a data directory with many messages in many conversations, through the store itself."""

import argparse
import asyncio
import random
import sys
import time
from pathlib import Path

from rockdove.core.errors import StoreUnavailable
from rockdove.core.msgid import MsgidSource
from rockdove.core.records import Batch, Draft, single_conversation
from rockdove.store.sqlite.accounts import SqliteAccounts
from rockdove.store.sqlite.database import open_database
from rockdove.store.sqlite.store import SqliteStore
from rockdove.wire import codec
from rockdove.wire import im_pb2 as pb

BATCH = 2_000
BODY = pb.Message(payload=pb.MessageTxt(txt="x" * 100).SerializeToString(), to="somebody").SerializeToString()


def check(error: Exception | None) -> None:
    if error is not None:
        raise StoreUnavailable(str(error))


async def fill(directory: Path, messages: int, conversations: int) -> None:
    database = open_database(directory)
    accounts, store = SqliteAccounts(database), SqliteStore(database)
    names = [f"filler{number:07d}" for number in range(2 * conversations)]
    for start in range(0, len(names), 10_000):
        await accounts.add_users(1, [(name, "") for name in names[start : start + 10_000]], 0)
    (first,) = database.execute("SELECT min(id) FROM user WHERE name >= 'filler'").fetchone()
    now_ms = int(time.time() * 1000)
    devices = [(await store.open_device(first + 2 * pair, "filler", "", now_ms)).id for pair in range(conversations)]
    source = MsgidSource(0, store.last_msgid)
    chance = random.Random(1)
    for start in range(0, messages, BATCH):
        batch = Batch()
        for number, msgid in enumerate(source.run(BATCH, now_ms), start + 1):
            pair = chance.randrange(conversations)
            sender = first + 2 * pair
            conversation = single_conversation(sender, sender + 1)
            draft = Draft(1, conversation, sender, codec.sender_field(names[2 * pair]), devices[pair], number, BODY, None)
            draft.msgid = msgid
            batch.messages.append(draft)
        store.commit(batch, check)
        if start % 500_000 == 0:
            print(f"{start:,} messages", file=sys.stderr)
    store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    options = parser.parse_args()
    asyncio.run(fill(options.directory, options.messages, options.conversations))
