"""What the parts of the SQLite store share."""

import sqlite3

from rockdove.store.sqlite.log import Log


class Tables:
    """Some tables of the file, and the log. A part reads by itself; it writes within a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection, log: Log) -> None:
        self._connection = connection
        self._log = log
