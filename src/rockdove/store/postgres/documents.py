"""The search index in the PostgreSQL database: a document is a message."""

from collections.abc import Iterable
from typing import Final

from rockdove.core.text import Terms, searchable
from rockdove.store.tokens import tokens_of as text_tokens_of
from rockdove.store.tokens import wanted_of
from rockdove.wire import im_pb2 as pb

# A message has another text now. The indexer may come later, and leaves it as it is.
PUT_DOCUMENT: Final = (
    "INSERT INTO document VALUES ($1, $2, array_to_tsvector($3::text[]))"
    " ON CONFLICT (msgid) DO UPDATE SET tokens = excluded.tokens"
)
ADD_DOCUMENTS: Final = "INSERT INTO document VALUES ($1, $2, array_to_tsvector($3::text[])) ON CONFLICT DO NOTHING"


def tokens_of(conversation: int, message: pb.Message) -> list[str]:
    """None if it is not found by any text."""
    text = searchable(message)
    return text_tokens_of(conversation, text) if text else []


def query_of(conversations: Iterable[int], terms: Terms) -> str:
    """As PostgreSQL reads it: what is found in messages of these conversations that the terms occur in."""
    return " | ".join(_query(conversation, terms) for conversation in conversations)


def _query(conversation: int, terms: Terms) -> str:
    wanted = wanted_of(conversation, terms)
    return "(" + " & ".join(_quoted(token) + (":*" if is_beginning else "") for token, is_beginning in wanted) + ")"


def _quoted(token: str) -> str:
    escaped = token.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
