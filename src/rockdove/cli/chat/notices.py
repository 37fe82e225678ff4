"""What happened to a group, as sentences."""

import math
from collections.abc import Sequence
from typing import Final

from rockdove.client import Notice
from rockdove.locale import Texts

_NAMED: Final = 8  # users in one sentence


def person(name: str, me: str, texts: Texts) -> str:
    """The name, or "you"."""
    return texts["you"] if name == me else name


def people(names: Sequence[str], me: str, texts: Texts) -> str:
    """A list of names of a bearable length."""
    shown = texts["comma"].join(person(name, me, texts) for name in names[:_NAMED])
    return texts["and_more"].format(names=shown, count=len(names) - _NAMED) if len(names) > _NAMED else shown


def notice_sentence(notice: Notice, me: str, texts: Texts) -> str:
    """What a notice says: not safe to print yet."""
    key = f"notice.{notice.kind}"
    if f"{key}.self" in texts and notice.users in ((), (notice.actor,)):
        key += ".self"
    elif f"{key}.{notice.text}" in texts:
        key += f".{notice.text}"
    template = texts.get(key)
    if template is None:
        return notice.text or f"[{notice.kind}]"
    return template.format(
        actor=person(notice.actor, me, texts),
        users=people(notice.users, me, texts),
        text=notice.text,
        minutes=math.ceil(int(notice.text) / 60) if notice.text.isascii() and notice.text.isdigit() else notice.text,
    )
