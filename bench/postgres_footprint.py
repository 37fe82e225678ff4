"""What a message takes in PostgreSQL: bytes on the disk and in the WAL. Rows as the store writes them, by SQL alone."""

import argparse
from contextlib import closing
from importlib.resources import files

from tests.engines.postgres import PostgresServer

SETTINGS = {
    "full_page_writes": "on",
    "wal_compression": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
MORE = 50_000  # messages of each further measurement
RECORD = "sha512(i::text::bytea) || sha512((-i)::text::bytea)"  # 128 bytes that do not compress: a text of 100 with its names
FILL = f"""
DO $$ BEGIN FOR batch IN 0..{{batches}} - 1 LOOP
    WITH drafted AS (
        SELECT {{start}} + batch * {{size}} + i AS i, 1 + floor(random() * {{conversations}})::bigint AS conversation
        FROM generate_series({{run}}, {{size}}, {{run}}) AS i
    ), stored AS (
        INSERT INTO chunk SELECT d.conversation, d.i, d.i << 10, d.conversation, d.i - (1::bigint << 62), 1, {{run}}, 1024,
            true, false, (SELECT string_agg(int8send(i) || {RECORD}, '') FROM generate_series(d.i - {{run}} + 1, d.i) AS i)
        FROM drafted d
    ), moved AS (
        INSERT INTO cursor SELECT conversation, conversation, max(i) FROM drafted GROUP BY conversation
        ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq
    )
    INSERT INTO conversation SELECT conversation, 1, max(i), max(i) << 10, 0, 1 FROM drafted GROUP BY conversation
    ON CONFLICT (id) DO UPDATE SET last_seq = excluded.last_seq, last_msgid = excluded.last_msgid;
    COMMIT;
END LOOP; END $$
"""
SIZES = """
SELECT relname, pg_size_pretty(pg_table_size(oid)), pg_size_pretty(pg_indexes_size(oid)), pg_total_relation_size(oid)
FROM pg_class WHERE relkind = 'r' AND relname IN ('chunk', 'cursor', 'conversation') ORDER BY 1
"""


def measure(messages: int, conversations: int, run: int) -> None:
    """With `run` messages in a row, fill a database, then write on with batches of several sizes."""
    with closing(PostgresServer(SETTINGS)) as server:
        database = server.create_database()
        for script in sorted(files("rockdove.store.postgres").joinpath("migrations").iterdir(), key=lambda file: file.name):
            server.sql(script.read_text(encoding="utf-8"), database)
        stored = 0

        def fill(size: int, number: int) -> float:
            """Bytes of WAL per message, in commits of so many."""
            nonlocal stored
            before = server.sql("SELECT pg_current_wal_lsn()")
            options = {"batches": number // size, "size": size, "start": stored, "conversations": conversations, "run": run}
            server.sql(FILL.format(**options), database)
            stored += number
            return float(server.sql(f"SELECT pg_current_wal_lsn() - '{before}'::pg_lsn")) / number

        share = messages // 10
        for _ in range(10):
            fill(1_600, share)
        total = 0
        for line in server.sql(SIZES, database).splitlines():
            table, rows, indexes, size = line.split("|")
            total += int(size)
            print(f"{table}: {rows} and {indexes} of indexes")
        print(f"on the disk: {total / stored:.0f} bytes per message")
        for size in (size for size in (1, 16, 256) if size >= run):
            server.sql("CHECKPOINT")
            first, second = fill(size, MORE), fill(size, MORE)
            print(f"WAL, batches of {size}: {first:.0f} bytes per message after a checkpoint, then {second:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--run", type=int, default=1, help="messages that follow each other in one row, up to 64")
    options = parser.parse_args()
    measure(options.messages, options.conversations, options.run)
