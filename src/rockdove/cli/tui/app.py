"""All conversations on one screen."""

import asyncio
import math
import time
from collections.abc import Awaitable
from typing import Final

from rich.text import Text as Styled
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import AppBlur, AppFocus
from textual.suggester import SuggestFromList
from textual.widgets import Footer, Input, OptionList, Static

from rockdove.cli.chat.arguments import parse_arguments
from rockdove.cli.chat.commands import COMMANDS
from rockdove.cli.chat.complaint import Complaint
from rockdove.cli.chat.peer import parse_peer
from rockdove.cli.chat.place import PATIENCE_SECONDS
from rockdove.cli.chat.words import local_time
from rockdove.cli.terminal import printable
from rockdove.cli.tui.answers import Answers
from rockdove.cli.tui.conversations import ConversationList
from rockdove.cli.tui.desk import Desk
from rockdove.cli.tui.members import MemberList
from rockdove.cli.tui.messages import MessageList, Row
from rockdove.cli.tui.news import Connection, tell
from rockdove.client import Client, Group, Notice, OutcomeUnknown, Peer, Refused, RockdoveError, Text
from rockdove.locale import Texts

_RECEIPT_SECONDS: Final = 1.0  # to get the last read receipt out
_REFRESH_SECONDS: Final = 1.0  # of what passes with time: a countdown, who is writing
_KEYS: Final = (
    ("ctrl+n", "next", "tui.next"),
    ("ctrl+p", "previous", "tui.previous"),
    ("ctrl+o", "write('/open ')", "tui.open"),
    ("ctrl+f", "write('/search ')", "tui.search"),
    ("ctrl+g", "members", "tui.show_members"),
    ("ctrl+r", "about('reply')", "tui.reply"),
    ("f2", "edit", "tui.edit"),
    ("ctrl+y", "about('recall')", "tui.recall"),
    ("ctrl+t", "about('react')", "tui.react"),
    ("ctrl+q", "leave", "tui.quit"),
)
_HIDDEN_KEYS: Final = (
    ("up", "choose(-1)"),
    ("down", "choose(1)"),
    ("pageup", "page(-1)"),
    ("pagedown", "page(1)"),
    ("escape", "escape"),
    ("ctrl+c", "escape"),
)


class Line(Input):
    """Where the user writes."""

    BINDINGS = [("ctrl+d", "delete_or_leave")]  # noqa: RUF012  # as textual has it

    def action_delete_or_leave(self) -> None:
        """As in a shell."""
        if self.value:
            self.action_delete_right()
        else:
            self.app.exit()


class TuiApp(App[None], inherit_bindings=False):
    """Runs until the user leaves, or the client ends: `ended` says why, then."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-normal"), (96, "-wide")]  # noqa: RUF012  # as textual has it

    def __init__(self, client: Client, texts: Texts, peer: Peer | None = None) -> None:
        super().__init__()
        self.ended: Exception | None = None
        self._client = client
        self._texts = texts
        self._first = peer
        self._answers = Answers(self.exit, id="answers")
        self._desk = Desk(client, texts, self._answers, self._show)
        self._connection = Connection()
        self._written: asyncio.Queue[str] = asyncio.Queue()
        for key, action, text in _KEYS:
            self.bind(key, action, description=texts[text])
        for key, action in _HIDDEN_KEYS:
            self.bind(key, action, show=False)

    def compose(self) -> ComposeResult:
        """The parts."""
        conversations = ConversationList(id="conversations")
        conversations.border_title = self._texts["tui.conversations"]
        members = MemberList(id="members")
        members.border_title = self._texts["tui.members"]
        commands = SuggestFromList([f"{command.name} " for command in COMMANDS])
        with Horizontal():
            yield conversations
            with Vertical(id="middle"):
                yield MessageList(self._client.user, self._texts, id="messages")
                yield self._answers
                yield Line(id="line", suggester=commands)
            yield members
        yield Static(id="status")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin."""
        self.title = f"rockdove · {self._client.user}"
        self.query_one("#members").display = False
        self._desk.left_behind()
        self._desk.reload()
        self.set_interval(_REFRESH_SECONDS, self._show)
        self.run_worker(self._listen())
        self.run_worker(self._obey())
        if self._first is not None:
            self._written.put_nowait(f"/open {self._first}")
        self.query_one(Input).focus()
        self._show()

    async def on_unmount(self) -> None:
        """The end."""
        await self._desk.close(_RECEIPT_SECONDS)

    # ---------------------------------------------------------------- what is shown

    def _show(self) -> None:
        if not self.is_running or not self.screen.is_mounted:
            return
        desk, texts = self._desk, self._texts
        status = desk.company.status
        self.query_one(ConversationList).show(desk.overview.items(), desk.open, status, texts)
        messages = self.query_one(MessageList)
        messages.border_title = self._heading()
        messages.show(self._rows())
        self.query_one(MemberList).show(desk.members, self._client.user, status, texts)
        self.query_one(Input).placeholder = (
            texts["tui.write"].format(peer=desk.open) if desk.open else texts["tui.nothing_open"]
        )
        self.query_one("#status", Static).update(self._status())

    def _heading(self) -> str:
        peer, info = self._desk.open, self._desk.info
        if peer is None:
            return ""
        if not isinstance(peer, Group):
            return peer
        known = self._desk.overview.get(peer)
        words = [f"{known.name} {peer}" if known and known.name else str(peer)]
        if info:
            words += [self._texts["members"].format(count=info.size), *([info.announcement] if info.announcement else [])]
        return printable(" · ".join(words)).replace("[", r"\[")

    def _rows(self) -> list[Row]:
        room = self._desk.room
        rows: list[Row] = []
        day = None
        for index, message in enumerate(room.messages() if room else ()):
            today = local_time(message.timestamp_ms).date() if message.seq else day
            mine = message.sender == self._client.user and not isinstance(message.content, Notice)
            rows.append(
                Row(
                    key=f"m{message.msgid}" if message.seq else f"p{index}",
                    message=message,
                    mark=room.mark(message.seq) if room and mine else None,
                    replied=room.timeline.get(message.reply_to) if room and message.reply_to else None,
                    day="" if today == day or not today else f"{today:%Y-%m-%d}",
                )
            )
            day = today
        return rows

    def _status(self) -> Styled:
        connection, texts = self._connection, self._texts
        if connection.retry_at is None:
            words = Styled.assemble(("● ", "green"), f"{self._client.user} · {texts['tui.connected']}")
        else:
            seconds = math.ceil(connection.retry_at - time.monotonic())
            words = Styled(f"○ {texts['waiting' if seconds > 0 else 'connecting'].format(seconds=seconds)}", "yellow")
        if pending := self._desk.pending:
            words.append(f" · {texts['unsent'].format(count=pending)}", "yellow")
        if self._desk.open and (company := self._desk.company.words(self._desk.open, texts)):
            words.append(f" · {company}")
        return words

    # ---------------------------------------------------------------- what the client tells

    async def _listen(self) -> None:
        try:
            async for event in self._client.events():
                await tell(self._desk, self._connection, event)
                self._show()
        except RockdoveError as error:
            self.ended = error
        self.exit()

    def on_app_focus(self, _: AppFocus) -> None:
        """The user is back at this terminal."""
        self._desk.attend(True)

    def on_app_blur(self, _: AppBlur) -> None:
        """The user looks at something else: what comes now is not read."""
        self._desk.attend(False)

    # ---------------------------------------------------------------- what the user writes

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the others that the user is writing."""
        if self._desk.open and event.value.strip() and not event.value.startswith("/"):
            self._desk.company.tell_typing(self._desk.open)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A message, or a command."""
        if event.value.strip():
            self._written.put_nowait(event.value)
        event.input.clear()
        self.query_one(MessageList).highlighted = None

    async def _obey(self) -> None:
        while True:
            text = await self._written.get()
            self._answers.clear()
            if text.startswith("/") and not text.startswith("//"):
                await self._attempt(self._command(text.strip()))
            else:
                await self._attempt(self._desk.say(Text(text.removeprefix("/"))))
            self._show()

    async def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        command = next((each for each in COMMANDS if name in each.names), None)
        if command is None:
            raise Complaint("no_such_command", command=name)
        try:
            values = parse_arguments(command.arguments, rest)
        except ValueError:
            raise Complaint("usage", usage=command.usage(self._texts)) from None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await command.run(self._desk, values)

    async def _attempt(self, work: Awaitable[None]) -> None:
        """Whatever does not work is told in a line, and the chat goes on."""
        try:
            await work
        except Complaint as complaint:
            await self._desk.note(complaint.key, "class:error", **complaint.values)
        except Refused as refusal:
            await self._desk.note("refused", "class:error", reason=refusal.reason)
        except (TimeoutError, OutcomeUnknown):
            await self._desk.note("no_answer", "class:error")

    # ---------------------------------------------------------------- keys and mouse

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A conversation was clicked."""
        if isinstance(event.option_list, ConversationList) and event.option_id:
            await self._open(parse_peer(event.option_id))

    async def action_next(self) -> None:
        """Open the conversation below."""
        await self._step(1)

    async def action_previous(self) -> None:
        """Open the conversation above."""
        await self._step(-1)

    async def _step(self, step: int) -> None:
        peers = [each.peer for each in self._desk.overview.items()]
        if peers:
            here = peers.index(self._desk.open) if self._desk.open in peers else -1 if step > 0 else 0
            await self._open(peers[(here + step) % len(peers)])

    async def _open(self, peer: Peer) -> None:
        self.query_one(MessageList).highlighted = None
        self._answers.clear()
        await self._attempt(self._desk.talk_to(peer))

    def action_members(self) -> None:
        """Show or hide them."""
        members = self.query_one(MemberList)
        members.display = not members.display

    def action_write(self, text: str) -> None:
        """Begin a command, with what is written already as the end of it."""
        line = self.query_one(Input)
        rest = "" if line.value.startswith("/") else line.value
        line.value = text + rest
        line.cursor_position = len(line.value)

    def action_about(self, command: str) -> None:
        """Begin a command about the chosen message; or about the last one, where the command knows which that is."""
        chosen = self.query_one(MessageList).chosen
        number = f"{chosen.seq} " if chosen and chosen.seq else ""
        if command == "reply" and not number and (room := self._desk.room):
            newest = room.newest_of_others(self._client.user)
            number = f"{newest.seq} " if newest else ""
        self.action_write(f"/{command} {number}")

    def action_edit(self) -> None:
        """Begin to change the chosen message, or the user's last one."""
        try:
            message = self.query_one(MessageList).chosen or self._desk.last_own()
        except Complaint:
            return
        if message.seq and message.sender == self._client.user:
            self.query_one(Input).clear()
            self.action_write(f"/edit {message.seq} {message.text if message.text.isprintable() else ''}")

    def action_choose(self, step: int) -> None:
        """Choose another message."""
        self.query_one(MessageList).choose(step)

    def action_page(self, step: int) -> None:
        """Scroll what a command has answered, else the messages."""
        messages = self.query_one(MessageList)
        scrolled = self._answers if self._answers.display else messages
        if step > 0:
            scrolled.scroll_page_down(animate=False)
        elif scrolled is not messages:
            scrolled.scroll_page_up(animate=False)
        else:
            messages.page_up()

    def on_message_list_older_wanted(self, _: MessageList.OlderWanted) -> None:
        """Fetch what was said before."""
        if self._desk.open is not None:
            self.run_worker(self._attempt(self._desk.look_back(0)), group="older", exclusive=True)

    def action_escape(self) -> None:
        """Forget what is begun."""
        self._answers.clear()
        self.query_one(MessageList).highlighted = None
        if self.query_one(Input).value.startswith("/"):
            self.query_one(Input).clear()

    def action_leave(self) -> None:
        """Leave."""
        self.exit()
