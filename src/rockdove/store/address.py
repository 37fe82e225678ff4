"""The address of a PostgreSQL database, as people write it."""

import re
from typing import Final

# Strict, so that in whatever is accepted it is known where the password stands.
_HOST: Final = r"(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_ADDRESS: Final = re.compile(
    r"postgres(?:ql)?://(?:[^\s/?#@:]*(?::[^\s/?#@]*)?@)?"
    rf"(?P<place>(?:{_HOST}(?:,{_HOST})*)?(?:/[^\s/?#@]*)?)(?:\?[^\s#@]*)?"
)
FORM: Final = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %XX for special characters of the password"


def check_address(address: str) -> str:
    """`address`, if it is one. Raises ValueError, whose text says what to write, and shows nothing of the address."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"this is no address of a PostgreSQL database: write {FORM}")
    return address


def place_of(address: str) -> str:
    """An address for people: its hosts and database alone. Raises ValueError as `check_address` does."""
    match = _ADDRESS.fullmatch(check_address(address))
    assert match
    return f"postgresql://{match['place']}"
