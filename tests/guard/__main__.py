"""`python -m tests.guard`: what the hot path does for one message, beside what it did."""

import tempfile
from pathlib import Path

from tests.guard.hot_path import EXPECTED, TOLERANCE, count_work

print(f"per message, counted (expected; fails beyond {TOLERANCE} times that)")
for window, expected in EXPECTED.items():
    with tempfile.TemporaryDirectory() as directory:
        work = count_work(Path(directory), window)
    counts = (f"{name} {count:.1f} ({was:.1f})" for name, count, was in zip(work._fields, work, expected, strict=True))
    print(f"{window:3} in flight:", ", ".join(counts).replace("_", " "))
