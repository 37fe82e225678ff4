"""What a heartbeat in a shared store costs PostgreSQL, by the number of the user's conversations: its three reads."""

import argparse
import os
import re
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from tests.engines.postgres import PostgresServer, binaries

USERS = 10_000
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "16GB"}
FILL = f"""
INSERT INTO account (id, tenant, created_ms, name, password_hash)
    SELECT i, 1, 0, 'u' || i, '' FROM generate_series(1, {USERS}) AS i;
INSERT INTO device (id, account, name, client, last_seen_ms) SELECT i, i, 'd', '', 0 FROM generate_series(1, {USERS}) AS i;
INSERT INTO conversation (id, last_seq, last_msgid, tenant)
    SELECT (u::bigint << 32) + c, 10, 1, 1 FROM generate_series(1, {USERS}) AS u, generate_series(1, {{conversations}}) AS c;
INSERT INTO member (account, conversation) SELECT (id >> 32)::integer, id FROM conversation;
INSERT INTO cursor SELECT id >> 32, id, 10 FROM conversation;
INSERT INTO request SELECT u, i, i, i, i FROM generate_series(1, {USERS}) AS u, generate_series(1, 20) AS i;
VACUUM ANALYZE
"""
# The three reads of the store: what a device is owed (nothing), the device, the user.
SCRIPT = f"""
\\set user random(1, {USERS})
SELECT c.id, c.first_seq, c.last_seq, c.last_msgid, m.read_seq, m.cleared_seq, coalesce(k.seq, 0), times.starts, times.ends
    FROM member m JOIN conversation c ON c.id = m.conversation AND c.last_seq > 0
    LEFT JOIN cursor k ON k.device = :user AND k.conversation = c.id,
    LATERAL (
        SELECT array_agg(t.after_seq) AS starts, array_agg(t.through_seq) AS ends FROM (
            SELECT after_seq, 9223372036854775807 AS through_seq FROM group_member WHERE account = :user AND conversation = c.id
            UNION ALL SELECT after_seq, through_seq FROM former_member WHERE account = :user AND conversation = c.id
        ) t WHERE c.id < 4294967296
    ) times
    WHERE m.account = :user AND c.last_seq > coalesce(k.seq, 0);
SELECT d.id, greatest(d.last_seqid, (SELECT max(r.seqid) FROM request r WHERE r.device = d.id)), d.kicked_ms, d.login, d.holder
    FROM device d WHERE d.account = :user AND d.name = 'd';
SELECT id, tenant, name, state, credential_version FROM account WHERE id = :user;
"""


def cpu_seconds(server: PostgresServer) -> float:
    """Of the connections that have ended."""
    ended = Path(f"/proc/{server.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[13:15]
    return sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")


def measure(conversations: int, seconds: int) -> None:
    """Print the cost with so many conversations for each user."""
    with closing(PostgresServer(SETTINGS)) as server:
        database = server.create_database()
        for file in sorted(files("rockdove.store.postgres").joinpath("migrations").iterdir(), key=lambda file: file.name):
            server.sql(file.read_text(encoding="utf-8"), database)
        server.sql("INSERT INTO tenant VALUES (1, 0, 0, 0, 0, true, 'o', 'a', '', '')", database)
        for statement in FILL.format(conversations=conversations).split(";"):
            server.sql(statement, database)
        file = server.directory / "heartbeat.sql"
        file.write_text(SCRIPT, encoding="utf-8")
        before = cpu_seconds(server)
        options = ("--no-vacuum", "--protocol=prepared", "--client=2", f"--time={seconds}", f"--file={file}")
        printed = server.run(str(binaries() / "pgbench"), *options, server.dsn(database))
        done = re.search(r"actually processed: (\d+)", printed)
        assert done is not None, printed
        used = cpu_seconds(server) - before
        print(f"{conversations} conversations: {1e6 * used / int(done[1]):.0f} µs of PostgreSQL's CPU per heartbeat")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    for number in options.conversations:
        measure(number, options.seconds)
