"""The PostgreSQL store as the contract wants it: each call returns when it is done, and what is stored can be made to fail."""

import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, cast

from rockdove.core.ports import Accounts, Store
from rockdove.core.records import Batch
from rockdove.store.postgres.accounts import PostgresAccounts
from rockdove.store.postgres.database import open_database
from rockdove.store.postgres.nodes import PostgresNodes
from rockdove.store.postgres.store import PostgresStore
from tests.contract.elsewhere import Elsewhere, LoopThread
from tests.engines.engine import DEADLINE_SECONDS
from tests.engines.postgres import PostgresServer

# Statements that write are counted, wherever they are sent from; the chosen one finds the disk full, or the commit does.
BREAKDOWNS: Final = """
CREATE TABLE breakdown (at integer);
INSERT INTO breakdown VALUES (NULL);
CREATE SEQUENCE breakdown_seen MINVALUE 0 START 0;
CREATE FUNCTION break_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT at >= 0 FROM breakdown) AND nextval('breakdown_seen') = (SELECT at FROM breakdown) THEN
        RAISE 'the disk is full' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION break_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT at = -1 FROM breakdown) THEN
        RAISE 'the disk is full' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NULL;
END $$;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT c.oid::regclass FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
        AND c.relname NOT IN ('breakdown', 'migration')
    LOOP
        EXECUTE format('CREATE TRIGGER break_statement BEFORE INSERT OR UPDATE OR DELETE ON %s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION break_statement()', name);
        EXECUTE format('CREATE CONSTRAINT TRIGGER break_commit AFTER INSERT OR UPDATE OR DELETE ON %s'
            ' DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break_commit()', name);
    END LOOP;
END $$;
"""


class PostgresBackend:
    """`store.postgres` in a database of its own, a copy of `template`."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._name = server.create_database(template)
        self._thread = LoopThread()
        self._run = self._thread.run
        self._open()
        self.accounts = cast("Accounts", Elsewhere(self._thread, PostgresAccounts(self._database)))

    def _open(self) -> None:
        self._database = self._run(open_database(self._server.dsn(self._name)))
        self._nodes = self._run(PostgresNodes.register(self._database))
        self._store = self._run(PostgresStore.open(self._database, self._nodes))
        self.store = cast("Store", StoreElsewhere(self._thread, self._store))

    def restart(self, *, clean: bool) -> None:
        before = self._database
        if clean:
            self._run(self._store.stop())
            self._run(self._nodes.leave())
            self._run(before.close())
        else:
            self._thread.loop.call_soon_threadsafe(self._store.close)
            self._run(before.fetch("UPDATE node SET seen = now() - interval '1 hour'"))
            self._run(before.close())
        self._open()

    @contextmanager
    def failing(self, statement: int, *, rolled_back: bool) -> Iterator[None]:
        self._break("UPDATE breakdown SET at = $1", statement)
        try:
            yield
        finally:
            self._break("UPDATE breakdown SET at = NULL")

    def _break(self, statement: str, *arguments: int) -> None:
        self._run(self._database.fetch(statement, *arguments))
        self._run(self._database.fetch("SELECT setval('breakdown_seen', 0, false)"))

    def close(self) -> None:
        self._run(self._store.stop())
        self._run(self._database.close())
        self._thread.close()
        self._server.drop_database(self._name)


class StoreElsewhere:
    """A store whose loop is another one. `commit` returns when `done` was called."""

    def __init__(self, thread: LoopThread, store: PostgresStore) -> None:
        self._thread = thread
        self._store = store
        self._there = Elsewhere(thread, store)

    def __getattr__(self, name: str) -> Any:
        if inspect.iscoroutinefunction(getattr(self._store, name)):
            return getattr(self._there, name)
        return getattr(self._store, name)

    def commit(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        answer: Future[Exception | None] = Future()
        self._thread.loop.call_soon_threadsafe(self._store.commit, batch, answer.set_result)
        done(answer.result(DEADLINE_SECONDS))
