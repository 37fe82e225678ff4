"""Which names are legal (protocol §4)."""

import re

from rockdove.wire.limits import CLIENT_TEXT_BYTES, NAME_LENGTH

_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{NAME_LENGTH}}}")

RULE = f"1 to {NAME_LENGTH} of the characters A-Z a-z 0-9 . _ -"


def is_name(text: str) -> bool:
    """Whether `text` may name a user, org, appkey or group (protocol §4 Limits)."""
    return _NAME.fullmatch(text) is not None


def is_device(text: str) -> bool:
    """Whether `text` may name a device: like a name, but it may be empty (protocol §4 Limits)."""
    return not text or is_name(text)


def is_display_text(text: str) -> bool:
    """Whether `text` may be shown as somebody's free text: at most 128 bytes, nothing unprintable."""
    return len(text.encode()) <= CLIENT_TEXT_BYTES and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
