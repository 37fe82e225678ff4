"""The topics of the bus: who attends to what (see ports.Bus)."""

from typing import Final

NODES: Final = "nodes"  # every node


def user_topic(user: int) -> str:
    """Attended by the nodes where this user has a session."""
    return f"user.{user}"


def group_topic(conversation: int) -> str:
    """Attended by the nodes where a member of this group has a session."""
    return f"group.{conversation}"


def node_topic(number: int) -> str:
    """Attended by the node of that number."""
    return f"node.{number}"
