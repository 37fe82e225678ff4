"""What processes use."""

import os
import subprocess
import sys
import time

from rockdove.bench.usage import usage

SPINS = "import subprocess, sys, time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
CHILD = f"{SPINS}print(flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_descendants_count() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()
        used = usage([parent.pid])
    assert used.processes == 2
    assert used.cpu_seconds >= 0.29
    assert used.rss_bytes > 4 << 20


def test_this_process_uses_something() -> None:
    before = usage([os.getpid()])
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert usage([os.getpid()]).cpu_seconds > before.cpu_seconds


def test_who_has_ended_uses_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert usage([int(done.stdout)]) == (0, 0, 0)
