"""What an operator may choose about the core."""

from dataclasses import dataclass
from typing import Final

from rockdove.wire import limits

DAY_MS: Final = 86_400_000  # operators count in days


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of every session of this node."""

    heartbeat_seconds: int = limits.HEARTBEAT_SECONDS
    max_frame_bytes: int = limits.FRAME_BYTES
    window: int = limits.WINDOW
    device_expiry_ms: int = limits.DEVICE_EXPIRY_MS
    group_max_members: int = 10_000
    logins_at_once: int = 32
    logins_waiting: int = 2_000
    maintenance_ms: int = 1_000  # between two steps of cutting logs

    @property
    def look_ms(self) -> int:
        """After how long the store is looked into for a client that talks, but sends no heartbeats."""
        return int(self.heartbeat_seconds * 1500)

    @property
    def silence_ms(self) -> int:
        """How long a client may say nothing (protocol §5 Heartbeat)."""
        return int(self.heartbeat_seconds * limits.HEARTBEATS_MISSED * 1000)
