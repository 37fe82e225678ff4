"""What the SDK raises, and whether trying again makes sense."""

from rockdove.wire import im_pb2 as pb


class RockdoveError(Exception):
    """Anything that went wrong between this client and the server."""


class Refused(RockdoveError):
    """The server's final no to one request: nothing was changed, the connection lives (protocol §8).

    `code` is a Code, `reason` one English sentence that says what to do.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason or 'refused'} ({_name(pb.Code.items(), code)})")
        self.code = code
        self.reason = reason


class LoginRefused(Refused):
    """The server does not let this user in. `retry` says whether the same login may succeed later (protocol §3)."""

    _LATER = (pb.RESOURCE_EXHAUSTED, pb.UNAVAILABLE, pb.INTERNAL)

    @property
    def retry(self) -> bool:
        """False: only another token or name can help."""
        return self.code in self._LATER


class Disconnected(RockdoveError):
    """The connection is gone. `code` is a DisconnectCode, or None when it broke without a word."""

    _FOR_GOOD = (pb.REPLACED, pb.KICKED)

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason if code is None else f"{reason or 'disconnected'} ({_name(pb.DisconnectCode.items(), code)})")
        self.code = code
        self.reason = reason

    @property
    def retry(self) -> bool:
        """Whether to connect again: not when this device was replaced or kicked."""
        return self.code not in self._FOR_GOOD


class OutcomeUnknown(RockdoveError):
    """No answer yet. Asking again is safe: a message stays in the outbox under its seqid, and is stored once (protocol §4)."""


class OutboxUnusable(RockdoveError):
    """The outbox file can't be used: `path` and `reason`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the outbox {path} {reason}")
        self.path = path
        self.reason = reason


class OutboxInUse(OutboxUnusable):
    """Another process has the outbox file open: one device is one process."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "is in use by another process")


def _name(items: list[tuple[str, int]], value: int) -> str:
    return next((name for name, number in items if number == value), str(value))
