"""Adapters of `core.ports.Bus`: a doorbell between nodes that may be missed."""

from typing import Final

NEWS_BYTES: Final = 1024 * 1024  # longest ring, question or answer: what a NATS server takes unless told otherwise
