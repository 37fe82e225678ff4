"""What a user may do to his devices."""

from collections.abc import Sequence

from rockdove.core.errors import not_found
from rockdove.core.ports import View
from rockdove.core.records import KickDevice


class KickRule:
    """Tokens given to the device up to now are dead; the password still lets it in."""

    conversation = 0

    def __init__(self, user: int, device: str) -> None:
        self._user = user
        self._name = device

    async def decide(self, view: View, now_ms: int, msgids: Sequence[int]) -> Sequence[KickDevice]:  # noqa: ARG002
        """Raises Refusal."""
        device = await view.device(self._user, self._name)
        if device is None:
            raise not_found(f"you have no device {self._name!r}: list your devices")
        # Always later than the last time: a token given in between, in the same ms, is dead too.
        return [KickDevice(device.id, max(now_ms, device.kicked_ms + 1))]
