"""All that permits and rules look at, in the PostgreSQL database."""

from rockdove.store.postgres.contacts import Contacts
from rockdove.store.postgres.conversations import Conversations
from rockdove.store.postgres.devices import Devices
from rockdove.store.postgres.groups import Groups
from rockdove.store.postgres.log import Log


class PostgresView(Log, Conversations, Devices, Groups, Contacts):
    """`core.ports.View`, and all other reads."""
