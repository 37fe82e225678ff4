"""rockdove, but the newest part of its log is settled every 300 messages instead of 65,536: kills shall hit that, too."""

import sys
from functools import partial

from rockdove.cli import main
from rockdove.server import app
from rockdove.store.sqlite.log import SqliteStore

app.SqliteStore = partial(SqliteStore, seal_at=300)
sys.exit(main())
