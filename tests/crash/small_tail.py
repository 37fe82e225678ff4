"""rockdove, but it settles its log after 300 messages instead of 65,536: half of the kills hit that."""

import sys
from functools import partial

from rockdove.cli import main
from rockdove.server import storage

storage.SqliteStore = partial(storage.SqliteStore, seal_at=300)
sys.exit(main())
