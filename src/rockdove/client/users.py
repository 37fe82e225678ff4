"""Profiles of users."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rockdove.client.asking import Ask, chunks
from rockdove.wire import im_pb2 as pb
from rockdove.wire.limits import QUERY_NAMES


@dataclass(frozen=True, slots=True)
class Profile:
    """What a user tells the others of the tenant about himself."""

    user: str
    nickname: str
    avatar_url: str
    ext: Mapping[str, str]  # whatever the application keeps there


class Users:
    """`client.users`. Every verb raises Refused."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def get(self, users: Iterable[str]) -> list[Profile]:
        """The profiles of these users; those who do not exist are left out."""
        found: list[Profile] = []
        for some in chunks(users, QUERY_NAMES):
            found += await self._query(pb.UserQuery(users=some))
        return found

    async def find(self, prefix: str, *, limit: int = 50) -> list[Profile]:
        """Up to `limit` users whose name or nickname begins with `prefix`, by name."""
        return await self._query(pb.UserQuery(prefix=prefix, limit=limit))

    async def update(
        self, *, nickname: str | None = None, avatar_url: str | None = None, ext: Mapping[str, str] | None = None
    ) -> None:
        """Change what is given of your own profile. An entry of `ext` with an empty value is taken out."""
        await self._ask(pb.User(update=pb.UserUpdate(nickname=nickname, avatar_url=avatar_url, ext=ext)))

    async def _query(self, query: pb.UserQuery) -> list[Profile]:
        answer = pb.UserList.FromString(await self._ask(pb.User(get=query)))
        return [Profile(item.user, item.nickname, item.avatar_url, dict(item.ext)) for item in answer.items]
