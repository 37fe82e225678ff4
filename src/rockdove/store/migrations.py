"""Numbered schema changes with checksums: an older program refuses a newer store."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple


class Migration(NamedTuple):
    """One change of the schema."""

    number: int
    checksum: str  # SHA-256, hexadecimal
    script: str


class OtherSchemaError(Exception):
    """The schema is not one that this program can bring up to date; the text is one line for people that says what to do."""


def migrations_of(package: str) -> list[Migration]:
    """What this program knows for that kind of store, in order."""
    scripts = sorted(files(package).joinpath("migrations").iterdir(), key=lambda file: file.name)
    migrations = []
    for number, script in enumerate((script for script in scripts if script.name.endswith(".sql")), 1):
        content = script.read_bytes()
        migrations.append(Migration(number, hashlib.sha256(content).hexdigest(), content.decode()))
    return migrations


def outstanding(known: list[Migration], applied: Sequence[tuple[int, str]], place: object) -> list[Migration]:
    """The migrations that `place` lacks, given (number, checksum) of those that it has. Raises OtherSchemaError."""
    if len(applied) > len(known):
        reason = (
            f"{place} was written by a newer rockdove (schema {len(applied)}, this one knows {len(known)}); upgrade rockdove"
        )
        raise OtherSchemaError(reason)
    for migration, (number, checksum) in zip(known, applied, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            reason = (
                f"{place} has another schema {number} than this rockdove; use the rockdove that made it or restore a backup"
            )
            raise OtherSchemaError(reason)
    return known[len(applied) :]
