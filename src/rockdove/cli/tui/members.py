"""Who is in the open conversation, at the right."""

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from rockdove.cli.chat.notices import person
from rockdove.cli.terminal import printable
from rockdove.cli.tui.conversations import Lookup, dot
from rockdove.cli.tui.look import STYLES
from rockdove.client import Member
from rockdove.locale import Texts


class MemberList(Static):
    """Each with role and presence."""

    def show(self, members: Sequence[Member], me: str, status: Lookup, texts: Texts) -> None:
        """Owner and admins first."""
        rows = [
            Text.assemble(
                dot(status(each.user)),
                " ",
                printable(person(each.user, me, texts)),
                "  ",
                (texts.get(f"role_{each.role}", ""), STYLES["class:old"]),
                no_wrap=True,
                overflow="ellipsis",
            )
            for each in sorted(members, key=lambda member: (-member.role, member.user))
        ]
        self.update(Text("\n").join(rows))
