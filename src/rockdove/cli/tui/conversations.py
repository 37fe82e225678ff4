"""The list of conversations at the left."""

from collections.abc import Callable, Sequence
from typing import Final

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rockdove.cli.chat.words import one_line
from rockdove.cli.terminal import printable
from rockdove.cli.tui.look import STYLES
from rockdove.client import Conversation, Group, Here, Peer, Status
from rockdove.locale import Texts

_QUIET: Final = STYLES["class:old"]
_DOTS: Final = {Here.OFFLINE: ("○", _QUIET), Here.ONLINE: ("●", "green"), Here.AWAY: ("◐", "yellow")}
_UNKNOWN: Final = ("·", _QUIET)  # presence is for friends

Lookup = Callable[[str], Status | None]


def dot(status: Status | None) -> tuple[str, str]:
    """A sign for whether somebody is here, and its style."""
    return next((sign for here, sign in _DOTS.items() if status and status.here == here), _UNKNOWN)


class ConversationList(OptionList):
    """Selecting an entry posts OptionSelected with the peer as its id."""

    can_focus = False  # the line to write in keeps it

    def show(self, items: Sequence[Conversation], is_open: Peer | None, status: Lookup, texts: Texts) -> None:
        """Show these, with the open one marked."""
        peers = [str(each.peer) for each in items]
        prompts = [conversation_text(each, status, texts) for each in items]
        if peers == [option.id for option in self.options]:
            for peer, prompt in zip(peers, prompts, strict=True):
                if self.get_option(peer).prompt != prompt:
                    self.replace_option_prompt(peer, prompt)
        else:
            self.set_options([Option(prompt, id=peer) for peer, prompt in zip(peers, prompts, strict=True)])
        wanted = peers.index(str(is_open)) if is_open is not None and str(is_open) in peers else None
        if self.highlighted != wanted:
            self.highlighted = wanted


def conversation_text(item: Conversation, status: Lookup, texts: Texts) -> Text:
    """Two rows: who, and how much is new; what was said last."""
    if isinstance(item.peer, Group):
        sign, name = ("#", "cyan"), item.name or item.peer.id
    else:
        sign, name = dot(status(item.peer)), item.peer
    name_style = _QUIET if item.left else "bold" if item.unread else ""
    news = (f" {item.unread} ", "bold black on cyan") if item.unread else " "
    last = one_line(item.last.content, texts) if item.last else ""
    return Text.assemble(
        sign, " ", (printable(name), name_style), "\n", news, " ", (last, _QUIET), no_wrap=True, overflow="ellipsis"
    )
