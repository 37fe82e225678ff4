"""What changed an earlier message, as sentences."""

from typing import Final

from rockdove.cli.chat.notices import person
from rockdove.cli.chat.words import one_line
from rockdove.cli.terminal import shorten
from rockdove.client import Edit, Message, Reaction, Recall
from rockdove.locale import Texts

_QUOTED_COLUMNS: Final = 40


def change_sentence(change: Message, target: Message | None, me: str, texts: Texts) -> str:
    """What a recall, edit or reaction did to `target`, as that was before: not safe to print yet."""
    who = person(change.sender, me, texts)
    what = texts["earlier"]
    if target:
        quote = shorten(one_line(target.content, texts), _QUOTED_COLUMNS)
        what = texts["message_named"].format(number=target.seq, text=quote)
    match change.content:
        case Recall():
            return texts["recalled"].format(who=who, what=what)
        case Edit(content=new):
            return texts["changed"].format(who=who, what=what, text=one_line(new, texts))
        case Reaction(emoji=emoji, removed=removed):
            return texts["unreacted" if removed else "reacted"].format(who=who, what=what, emoji=emoji)
        case _:
            return texts["removed"]
