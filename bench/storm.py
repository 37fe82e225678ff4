"""How soon thousands of clients are back that were all cut off at once, and what others notice of it.

Two nodes, PostgreSQL and NATS of its own; the node that they are on is killed.
"""

import argparse
import tempfile
from pathlib import Path

from tests.cluster.storm import run_storm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(run_storm(Path(directory), arguments.clients))


if __name__ == "__main__":
    main()
