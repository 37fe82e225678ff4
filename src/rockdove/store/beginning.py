"""What a new store starts with: its identity, its key, one tenant."""

import secrets

from rockdove.core.records import DEFAULT_NAME, Tenant


def new_epoch() -> bytes:
    """The identity of a store that no client has met (protocol §3 epoch)."""
    return (secrets.randbelow(2**64 - 1) + 1).to_bytes(8, "little")


def first_settings() -> list[tuple[str, bytes]]:
    """Names and values for the table `setting`."""
    return [("epoch", new_epoch()), ("signing_key", secrets.token_bytes(32))]


def first_tenant() -> Tenant:
    """The tenant that exists from the start."""
    secret = secrets.token_urlsafe(32).encode()  # text, so that it can be pasted into the product's backend
    return Tenant(0, DEFAULT_NAME, DEFAULT_NAME, token_secret=secret)
