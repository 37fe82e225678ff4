"""The bus that the operator chose."""

from typing import TYPE_CHECKING

from rockdove.core.ports import Log
from rockdove.server.config import Config

if TYPE_CHECKING:
    from rockdove.bus.nats.bus import NatsBus


def make_bus(config: Config, epoch: int, log: Log) -> "NatsBus | None":
    """The bus between the nodes of the store with that epoch, not yet started; None where none is configured."""
    if config.bus is None:
        if config.store is not None:
            log.warning("bus_missing", action="set bus if other nodes share the store, or their users get messages late")
        return None
    from rockdove.bus.nats.bus import NatsBus
    from rockdove.bus.nats.link import Access

    access = Access(config.bus_credentials, config.bus_tls_context())
    return NatsBus(config.bus, epoch, config.node_name, log, access)
