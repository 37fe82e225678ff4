"""The texts of the chat, in English."""

from typing import Final

TEXTS: Final = {
    "password": "password of {user}: ",
    # the conversation
    "you": "you",
    "pending": "… not sent yet",
    "sent": "·",
    "delivered": "✓",
    "read": "✓✓",
    "not_sent": "not sent: {text} ({reason})",
    "missing": "messages {first} to {last} are no longer on the server",
    "elsewhere": "{peer}: {text}   (/to {peer})",
    "no_such_command": "there is no command {command}; /help shows them all",
    "open_first": "choose somebody to write to first: /to NAME",
    "opened": "You are talking to {peer}.",
    "opened_empty": "You are talking to {peer}; nothing was said yet.",
    "cannot_open": "cannot open {peer}: {reason}",
    "bad_number": "/history takes a number from 1 to {most}",
    # the list
    "no_conversations": "no conversations yet; /to NAME begins one",
    "unread": "{count} new",
    # the connection
    "lost": "connection lost, trying again in {seconds} s",
    "waiting": "no connection, next try in {seconds} s",
    "connecting": "no connection, trying again now",
    "no_answer": "the server does not answer; try again later",
    "back": "connected again",
    "restored": "the server was restored from a copy: newer messages may be gone",
    "still_unsent": "{count} not sent yet; they go out the next time you chat from here",
    "unsent": "{count} waiting to be sent",
    # contents that are not text
    "image": "[picture] {url}",
    "file": "[file] {name} {url}",
    "audio": "[sound] {name} {url}",
    "video": "[video] {name} {url}",
    "location": "[place] {name} {latitude}, {longitude}",
    "custom": "[{kind}]",
    "recall": "[took a message back]",
    "edit": "[changed a message] {text}",
    "reaction": "[{emoji}]",
    "reaction_removed": "[no longer {emoji}]",
    "unreadable": "[a message that this version cannot show]",
    # help
    "help": """\
What you type is sent when you press Enter. {sent} sent  {delivered} delivered  {read} read
/to NAME      talk to NAME; #NAME is a group
/list         your conversations
/history [N]  the last N messages, at most 200
/help         this
/quit         leave; so does Ctrl-D
To send a line that begins with /, begin it with //.""",
}
