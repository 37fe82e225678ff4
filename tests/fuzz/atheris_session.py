"""Coverage-guided fuzzing of a session, by hand: pip install atheris, then python -m tests.fuzz.atheris_session [corpus].

The first byte says whether the client has logged in; what follows is cut into pieces by its own lengths.
"""

import sys

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["rockdove.wire", "rockdove.core"]):
    from tests.fuzz.sessions import Target


def one_input(data: bytes) -> None:
    """Feed `data`; an assertion that fails is a finding."""
    provider = atheris.FuzzedDataProvider(data)
    target = Target(logged_in=provider.ConsumeBool())
    while provider.remaining_bytes():
        target.feed(provider.ConsumeBytes(provider.ConsumeIntInRange(1, 300)))
    target.end()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
