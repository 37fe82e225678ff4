"""Draws docs/benchmarks/*.svg from docs/benchmarks/peers.json: what a message costs each server, scenario by scenario."""

import json
from pathlib import Path
from statistics import median
from typing import Final

from rockdove.bench import svg

DIRECTORY: Final = Path(__file__).parents[1] / "docs" / "benchmarks"


def main() -> None:
    measured = json.loads((DIRECTORY / "peers.json").read_text())
    for name, scenario in measured["scenarios"].items():
        rows = [(server, median(runs), written(runs)) for server, runs in scenario["cpu_us"].items()]
        (DIRECTORY / f"{name}.svg").write_text(svg.bars(f"CPU µs of the server per {scenario['what']}", rows))


def written(runs: list[float]) -> str:
    """The median, and the spread where there is one."""
    low, high = min(runs), max(runs)
    return f"{median(runs):.3g}" + (f"  [{low:.3g}–{high:.3g}]" if low != high else "")


if __name__ == "__main__":
    main()
