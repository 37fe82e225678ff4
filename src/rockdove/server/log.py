"""Structured logs on stderr: JSON for machines, lines for people, and never what people write to each other."""

import logging
import os
import sys
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SECRET_KEYS: Final = frozenset({"password", "payload", "secret", "text", "token", "txt"})
REMOVED: Final = "[removed]"


def configure_log(form: Literal["auto", "json", "console"], level: str) -> None:
    """Send the logs of this process to stderr, those of libraries included, from `level` (debug … error) on."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        remove_secrets,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),  # what is below the level costs nothing
        cache_logger_on_first_use=True,
    )
    # Tracebacks without the values of variables: they may hold a password or a message.
    rendering: list[Processor]
    if as_json:
        rendering = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        colors = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        rendering = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def remove_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor: what is called a token, password, text or the like is not logged, wherever it stands."""
    for name, value in event.items():
        if name.lower() in SECRET_KEYS:
            event[name] = REMOVED
        elif isinstance(value, dict):
            event[name] = remove_secrets(_, __, dict(value))
    return event
