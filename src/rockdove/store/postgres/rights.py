"""What permits look at, remembered: who may write where.

What is known of a conversation holds for one version of it. Whoever stores by it passes the version on, and is refused
when the database has another one; so it may be as old as it likes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rockdove.core.records import GROUPS_END, Contact, Draft, DraftRun, Group, Member, peer_of, single_conversation
from rockdove.store.postgres.contacts import COLUMNS, contact_of
from rockdove.store.postgres.conversations import columns
from rockdove.store.postgres.groups import GROUP, PRESENT, group_of, member_of
from rockdove.store.postgres.tables import Rows
from rockdove.store.postgres.view import PostgresView

KNOWN: Final = 100_000  # conversations
KNOWN_MEMBERS: Final = 500_000  # of all groups together


class Rights:
    """Who may write in one conversation, as far as it was asked for."""

    __slots__ = ("contacts", "group", "members", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.group: Group | None = None
        self.members: dict[int, Member | None] = {}  # by user
        self.contacts: dict[int, Contact] = {}  # of a single conversation, by the user whose side it is

    @property
    def group_version(self) -> int:
        """Group.version; 0 for a single conversation."""
        return self.group.version if self.group else 0


class KnownRights:
    """The rights of conversations that are written in."""

    def __init__(self) -> None:
        self._known: dict[int, Rights] = {}
        self._members = 0

    def forget(self, conversations: Iterable[int]) -> None:
        """They have changed."""
        for conversation in conversations:
            self._known.pop(conversation, None)

    async def know(self, rows: Rows, drafts: Sequence[Draft | DraftRun], others: Sequence[int] = ()) -> dict[int, Rights]:
        """The rights of all conversations of `drafts`, with what their permits will look at, and of others. Opens new ones."""
        known = self._known
        rights = {draft.conversation: known.get(draft.conversation) for draft in drafts}
        rights |= {conversation: known.get(conversation) for conversation in others}
        unknown = [conversation for conversation, entry in rights.items() if entry is None]
        if unknown:
            rights |= await self._open(rows, unknown)
        found = {conversation: entry for conversation, entry in rights.items() if entry is not None}
        await self._complete(rows, drafts, found)
        return found

    async def _open(self, rows: Rows, conversations: Sequence[int]) -> dict[int, Rights]:
        if len(self._known) > KNOWN or self._members > KNOWN_MEMBERS:
            self._known.clear()
            self._members = 0
        found = await rows.fetch("SELECT id, version FROM open_conversations($1)", conversations)
        opened = {conversation: Rights(version) for conversation, version in found}
        groups = [conversation for conversation in opened if conversation < GROUPS_END]
        if groups:
            for row in await rows.fetch(f"{GROUP} WHERE g.conversation = ANY ($1)", groups):
                group = group_of(row)
                opened[group.conversation].group = group
        self._known |= opened
        return opened

    async def _complete(self, rows: Rows, drafts: Sequence[Draft | DraftRun], rights: Mapping[int, Rights]) -> None:
        members: set[tuple[int, int]] = set()
        contacts: set[tuple[int, int]] = set()
        for draft in drafts:
            entry = rights.get(draft.conversation)
            if draft.permit is None or entry is None:
                continue
            if draft.conversation < GROUPS_END:
                if draft.sender not in entry.members:
                    members.add((draft.conversation, draft.sender))
            elif (peer := peer_of(draft.conversation, draft.sender)) not in entry.contacts:
                contacts.add((peer, draft.sender))
        if members:
            found = await rows.fetch(
                f"{PRESENT} JOIN unnest($1::bigint[], $2::integer[]) AS n (conversation, account)"
                " ON n.conversation = m.conversation AND n.account = m.account",
                *columns(list(members), 2),
            )
            present = {(member.conversation, member.user): member for member in map(member_of, found)}
            for conversation, user in members:
                rights[conversation].members[user] = present.get((conversation, user))
            self._members += len(members)
        if contacts:
            found = await rows.fetch(
                f"SELECT {COLUMNS} FROM contact c JOIN unnest($1::integer[], $2::integer[]) AS n (account, peer)"
                " ON n.account = c.account AND n.peer = c.peer",
                *columns(list(contacts), 2),
            )
            noted = {(contact.user, contact.peer): contact for contact in map(contact_of, found)}
            for user, peer in contacts:
                entry = rights[single_conversation(user, peer)]
                entry.contacts[user] = noted.get((user, peer)) or Contact(user, peer)


class RightsView(PostgresView):
    """The store for permits: what is known is not read again."""

    def __init__(self, rows: Rows, rights: Mapping[int, Rights]) -> None:
        super().__init__(rows)
        self._rights = rights

    async def group(self, conversation: int) -> Group | None:
        entry = self._rights.get(conversation)
        return entry.group if entry else await super().group(conversation)

    async def member(self, conversation: int, user: int) -> Member | None:
        entry = self._rights.get(conversation)
        if entry is not None and user in entry.members:
            return entry.members[user]
        return await super().member(conversation, user)

    async def contact(self, user: int, peer: int) -> Contact:
        entry = self._rights.get(single_conversation(user, peer))
        if entry is not None and user in entry.contacts:
            return entry.contacts[user]
        return await super().contact(user, peer)
