"""What is moved: tables by the names that they have in the PostgreSQL database, in the order of moving."""

from typing import Any, Final, NamedTuple

Row = tuple[Any, ...]
Key = tuple[Any, ...]  # the first columns of a row


class Table(NamedTuple):
    """One table. Its rows are unique by their key, and are read in its order on both sides."""

    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    flags: frozenset[str] = frozenset()  # columns that are true or false
    only: str = "true"  # which rows, in SQL

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a row."""
        return *self.key, *self.values

    def key_of(self, row: Row) -> Key:
        """The key of a row."""
        return row[: len(self.key)]


MESSAGE: Final = Table(
    "message", ("msgid",), ("conversation", "seq", "device", "seqid", "sender", "counted", "digest", "record")
)
REQUEST: Final = Table("request", ("device", "seqid"), ("msgid", "seq", "digest"))
CONVERSATION: Final = Table("conversation", ("id",), ("tenant", "first_seq", "last_seq", "last_msgid"))

TABLES: Final = (
    Table("setting", ("name",), ("value",), only="name IN ('epoch', 'signing_key')"),
    Table(
        "tenant",
        ("id",),
        (
            *("org", "appkey", "retention_days", "strangers", "password_cost", "messages_per_second"),
            *("token_secret", "recall_seconds", "edit_seconds"),
        ),
        frozenset({"strangers"}),
    ),
    Table("account", ("id",), ("tenant", "name", "state", "password_hash", "credential_version", "created_ms")),
    Table("account_change", ("position",), ("tenant", "account")),
    Table("profile", ("account",), ("tenant", "nickname", "folded", "avatar_url", "ext")),
    Table("device", ("id",), ("account", "name", "client", "last_seqid", "last_seen_ms", "kicked_ms")),
    CONVERSATION,
    MESSAGE,
    REQUEST,
    Table("member", ("account", "conversation"), ("read_seq", "cleared_seq")),
    Table("cursor", ("device", "conversation"), ("seq",)),
    Table("hidden", ("account", "conversation", "seq"), ()),
    Table(
        "chat_group",
        ("conversation",),
        (
            *("tenant", "id", "name", "owner", "created_ms", "join_policy", "members_invite", "only_admins_post"),
            *("history_for_new", "announcement", "avatar_url", "size", "version", "muted_until_ms", "dissolved"),
        ),
        frozenset({"members_invite", "only_admins_post", "history_for_new", "dissolved"}),
    ),
    Table("group_member", ("conversation", "account"), ("role", "joined_ms", "after_seq", "muted_until_ms")),
    Table("former_member", ("account", "conversation", "after_seq"), ("through_seq",)),
    Table("join_request", ("conversation", "account"), ("asked_ms",)),
    Table(
        "contact",
        ("account", "peer"),
        ("state", "blocked", "remark", "greeting", "updated_ms", "version"),
        frozenset({"blocked"}),
    ),
    Table("edit", ("msgid", "edit"), ()),
)
