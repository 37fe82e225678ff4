"""Servers that are started to be measured."""

import subprocess
import sys
import time
from pathlib import Path

OWNER = """
import sys
from pathlib import Path
from rockdove.bench.servers import Process
with Process(["rockdove.bench.floor"], Path(sys.argv[1])) as process:
    print(process.pid, flush=True)
    sys.stdin.read()
"""


def runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status[status.rindex(")") + 2] != "Z"  # a zombie waits for whoever inherited it


def test_a_server_ends_with_a_bench_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert runs(pid)
        owner.kill()
        deadline = time.monotonic() + 20
        while runs(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not runs(pid)
