"""The clients of a node that dies are all back at another one within a minute. bench/storm.py does it with 10,000."""

from pathlib import Path

import pytest

from tests.cluster.storm import run_storm

CLIENTS = 500
BACK_SECONDS = 60.0


@pytest.mark.crash
def test_hundreds_of_clients_that_are_cut_off_at_once_are_soon_back(tmp_path: Path) -> None:
    storm = run_storm(tmp_path, CLIENTS)
    print(storm)
    assert storm.back < BACK_SECONDS
