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


def display_text(text: str) -> str:
    """Somebody's free text as it may be shown: without control characters, cut to 128 bytes of UTF-8."""
    shown = "".join(c for c in text if not (ord(c) < 32 or 127 <= ord(c) < 160))
    return shown.encode()[:CLIENT_TEXT_BYTES].decode(errors="ignore")
