"""Which names are legal (protocol §4)."""

import re

from rockdove.wire.limits import CLIENT_TEXT_BYTES, NAME_LENGTH

_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{NAME_LENGTH}}}")
_FOUR_NAMES = re.compile(rf"(?:{_NAME.pattern} ){{3}}{_NAME.pattern}")

RULE = f"1 to {NAME_LENGTH} of the characters A-Z a-z 0-9 . _ -"


def is_name(text: str) -> bool:
    """Whether `text` may name a user, org, appkey or group (protocol §4 Limits)."""
    return _NAME.fullmatch(text) is not None


def are_names(org: str, appkey: str, user: str, device: str) -> bool:
    """Whether all are legal names, by one look: a text with a space in it would make more than four."""
    return _FOUR_NAMES.fullmatch(f"{org} {appkey} {user} {device}") is not None


def is_device(text: str) -> bool:
    """Whether `text` may name a device: like a name, but it may be empty (protocol §4 Limits)."""
    return not text or is_name(text)


def is_display_text(text: str, limit_bytes: int) -> bool:
    """Whether `text` may be shown as it is: at most so many bytes of UTF-8, no control characters (protocol §4 Limits)."""
    return len(text.encode()) <= limit_bytes and _without_controls(text) == text


def is_display_lines(text: str, limit_bytes: int) -> bool:
    """The same for a text of several lines: it may have line feeds and tabs."""
    return is_display_text(re.sub("[\n\t]", " ", text), limit_bytes)


def display_text(text: str) -> str:
    """Somebody's free text as it may be shown: without control characters, cut to 128 bytes of UTF-8."""
    return _without_controls(text).encode()[:CLIENT_TEXT_BYTES].decode(errors="ignore")


def _without_controls(text: str) -> str:
    return "".join(c for c in text if not (ord(c) < 32 or 127 <= ord(c) < 160))
