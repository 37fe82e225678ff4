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
        FROM generate_series(1, {{size}}) AS i
    ), stored AS (
        INSERT INTO message SELECT conversation, i, i << 22, conversation, 1, true, false, {RECORD} FROM drafted
    ), requested AS (
        INSERT INTO request SELECT conversation, i - (1::bigint << 62), i << 22, i, i FROM drafted
    ), moved AS (
        INSERT INTO cursor SELECT conversation, conversation, max(i) FROM drafted GROUP BY conversation
        ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq
    )
    INSERT INTO conversation SELECT conversation, 1, max(i), max(i) << 22, 0, 1 FROM drafted GROUP BY conversation
    ON CONFLICT (id) DO UPDATE SET last_seq = excluded.last_seq, last_msgid = excluded.last_msgid;
    COMMIT;
END LOOP; END $$
"""
SIZES = """
SELECT parent, pg_size_pretty(sum(pg_table_size(oid))), pg_size_pretty(sum(pg_indexes_size(oid))),
    sum(pg_total_relation_size(oid))
FROM (SELECT oid, regexp_replace(relname, '_[0-9]+$', '') AS parent FROM pg_class WHERE relkind = 'r') AS tables
WHERE parent IN ('message', 'request', 'cursor', 'conversation') GROUP BY parent ORDER BY 1
"""


def measure(messages: int, conversations: int) -> None:
    """Fill a database, then write on with batches of several sizes."""
    with closing(PostgresServer(SETTINGS)) as server:
        database = server.create_database()
        for script in sorted(files("rockdove.store.postgres").joinpath("migrations").iterdir(), key=lambda file: file.name):
            server.sql(script.read_text(encoding="utf-8"), database)
        stored = 0

        def fill(size: int, number: int) -> float:
            """Bytes of WAL per message."""
            nonlocal stored
            before = server.sql("SELECT pg_current_wal_lsn()")
            options = {"batches": number // size, "size": size, "start": stored, "conversations": conversations}
            server.sql(FILL.format(**options), database)
            stored += number
            return float(server.sql(f"SELECT pg_current_wal_lsn() - '{before}'::pg_lsn")) / number

        share = messages // 10
        for _ in range(10):
            fill(1_000, share)
        total = 0
        for line in server.sql(SIZES, database).splitlines():
            table, rows, indexes, size = line.split("|")
            total += int(size)
            print(f"{table}: {rows} and {indexes} of indexes")
        print(f"on the disk: {total / stored:.0f} bytes per message")
        for size in (1, 16, 256):
            server.sql("CHECKPOINT")
            first, second = fill(size, MORE), fill(size, MORE)
            print(f"WAL, batches of {size}: {first:.0f} bytes per message after a checkpoint, then {second:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    options = parser.parse_args()
    measure(options.messages, options.conversations)
