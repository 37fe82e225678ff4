"""What a node needs beside its store and its connections."""

import traceback
from typing import TYPE_CHECKING

from rockdove.core.records import Tenant, User, UserState
from tests.simulation.clock import MS, pause

if TYPE_CHECKING:
    from tests.simulation.world import World


class Outside:
    """`core.ports.Auth`, `Randomness` and `Log`."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def _right(self, name: str, user: User | None, token: str) -> bool:
        return user is not None and user.state is UserState.ACTIVE and token == self._world.password(name)

    def recognises(
        self, tenant: Tenant, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        return self._right(name, user, token) and self._world.random.random() < 0.5  # else it has to be hashed

    async def check(
        self, tenant: Tenant | None, name: str, user: User | None, device: str, kicked_ms: int, token: str, now_ms: int
    ) -> bool:
        right = self._right(name, user, token)
        await pause(self._world.random.choice([0, 1, 30]) * MS)
        return right

    def resume_token(self, tenant: Tenant, user: User, device: str, kicked_ms: int, now_ms: int) -> tuple[str, int]:
        return "", 0

    def token(self) -> str:
        return f"{self._world.random.getrandbits(64):016x}"

    def debug(self, event: str, **fields: object) -> None:
        pass

    def info(self, event: str, **fields: object) -> None:
        pass

    def error(self, event: str, **fields: object) -> None:
        self.warning(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        self._world.note(f"log: {event} {fields}")

    def exception(self, event: str, **fields: object) -> None:
        self._world.check(False, f"the node logs {event} {fields}:\n{traceback.format_exc()}")
