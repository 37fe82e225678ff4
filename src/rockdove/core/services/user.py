"""Profiles and devices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rockdove.core.delivery.fanout import Fanout
from rockdove.core.errors import KICKED, Refusal, invalid
from rockdove.core.neighbours import Neighbours
from rockdove.core.ports import Accounts, Store
from rockdove.core.records import Profile
from rockdove.core.registry import Registry
from rockdove.core.rules.device import KickRule
from rockdove.core.services.pending import Pending
from rockdove.core.services.requests import ANSWER_BYTES, check_text, fitting, page_limit, parse
from rockdove.wire import im_pb2 as pb
from rockdove.wire import names
from rockdove.wire.limits import (
    AVATAR_URL_BYTES,
    DISPLAY_NAME_BYTES,
    PROFILE_ENTRIES,
    PROFILE_VALUE_BYTES,
    QUERY_NAMES,
)

if TYPE_CHECKING:
    from rockdove.core.session import Session


class UserService:
    """Tells what users say of themselves, and looks after one's own devices."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        registry: Registry,
        fanout: Fanout,
        neighbours: Neighbours,
        max_frame_bytes: int,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._registry = registry
        self._fanout = fanout
        self._neighbours = neighbours
        self._room = max_frame_bytes - ANSWER_BYTES

    async def serve(self, session: "Session", payload: bytes) -> bytes | Pending:
        """Response.payload to a USER request, or what is to be stored first. Raises Refusal."""
        user = parse(pb.User, payload)
        operation = user.WhichOneof("op")
        if operation == "get":
            return await self._get(session, user.get)
        if operation == "update":
            await self._update(session, user.update)
            return b""
        if operation == "devices":
            return await self._devices(session)
        if operation == "kick":
            return self._kick(session, user.kick.device)
        if operation == "push":
            raise Refusal(pb.UNIMPLEMENTED, "this server wakes no devices: stay connected, or reconnect now and then")
        raise invalid("this User holds no operation that is known here")

    # -- profiles

    async def _get(self, session: "Session", query: pb.UserQuery) -> bytes:
        if bool(query.users) == bool(query.prefix):
            raise invalid("give either `users` or a `prefix`")
        if query.prefix:
            if not names.is_display_text(query.prefix, DISPLAY_NAME_BYTES):
                raise invalid(f"`prefix` is too long: use at most {DISPLAY_NAME_BYTES} bytes without control characters")
            limit = page_limit(query.limit)
            profiles = await self._accounts.find_profiles(session.tenant.id, query.prefix, limit)
            return pb.UserList(items=self._fitting(profiles)[0]).SerializeToString()
        users = list(dict.fromkeys(query.users))
        if len(users) > QUERY_NAMES:
            raise invalid(f"{len(users)} users, at most {QUERY_NAMES} can be asked for at once")
        profiles = await self._accounts.profiles(session.tenant.id, list(filter(names.is_name, users)))
        items, more = self._fitting(profiles)
        if more:
            raise Refusal(pb.RESOURCE_EXHAUSTED, "these profiles are too much for one answer: ask for fewer users at once")
        return pb.UserList(items=items).SerializeToString()

    def _fitting(self, profiles: Sequence[Profile]) -> tuple[list[pb.UserInfo], bool]:
        """As many of them as one frame holds, and whether there are more."""
        items = (
            pb.UserInfo(user=profile.name, nickname=profile.nickname, avatar_url=profile.avatar_url, ext=dict(profile.ext))
            for profile in profiles
        )
        return fitting(items, self._room, len(profiles))

    async def _update(self, session: "Session", update: pb.UserUpdate) -> None:
        check_text("nickname", update.nickname, DISPLAY_NAME_BYTES)
        if not names.is_display_text(update.avatar_url, AVATAR_URL_BYTES):
            raise invalid(f"`avatar_url` is no address: use at most {AVATAR_URL_BYTES} bytes without control characters")
        found = await self._accounts.profiles(session.tenant.id, [session.name])
        profile = found[0] if found else Profile(session.user, session.name)
        await self._accounts.set_profile(
            replace(
                profile,
                nickname=update.nickname if update.HasField("nickname") else profile.nickname,
                avatar_url=update.avatar_url if update.HasField("avatar_url") else profile.avatar_url,
                ext=_merged(dict(profile.ext), update.ext),
            )
        )

    # -- devices

    async def _devices(self, session: "Session") -> bytes:
        """Those here first, then those seen last; as many as one frame holds."""
        here = {live.device_name for live in self._registry.sessions(session.user)}
        here.update(device for there in await self._neighbours.who([session.user]) for device in there.devices)
        devices = await self._store.devices(session.user)
        items = (
            pb.DeviceInfo(device=device.name, client=device.client, online=device.name in here, last_seen=device.last_seen_ms)
            for device in sorted(devices, key=lambda device: (device.name in here, device.last_seen_ms), reverse=True)
        )
        kept, _ = fitting(items, self._room, len(devices))
        return pb.DeviceList(items=kept).SerializeToString()

    def _kick(self, session: "Session", device: str) -> Pending:
        if not names.is_device(device):
            raise invalid(f"`device` is not a legal name: use {names.RULE}, or leave it empty")

        tell = partial(self._fanout.end_session, session.user, device, pb.KICKED, KICKED)
        return Pending(KickRule(session.user, device), tell=tell)


def _merged(ext: dict[str, str], changes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The entries after the changes; an empty value deletes its entry. Raises Refusal."""
    for key, value in changes.items():
        if not names.is_name(key):
            raise invalid(f"a key in `ext` is not a legal name: use {names.RULE}")
        if len(value.encode()) > PROFILE_VALUE_BYTES:
            raise invalid(f"a value in `ext` is {len(value.encode())} bytes, at most {PROFILE_VALUE_BYTES} are allowed")
        if value:
            ext[key] = value
        else:
            ext.pop(key, None)
    if len(ext) > PROFILE_ENTRIES:
        raise invalid(f"`ext` would hold {len(ext)} entries, at most {PROFILE_ENTRIES} are allowed: delete some first")
    return tuple(sorted(ext.items()))
