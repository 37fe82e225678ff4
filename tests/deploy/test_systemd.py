"""systemd units: verified by systemd's own tool, their commands parsed; never started."""

import configparser
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import DEADLINE_SECONDS, DEPLOY, needs, read, read_environment
from tests.deploy.settings import accept
from tests.protocol.real import Certificate

UNITS = sorted(file.name for file in (DEPLOY / "systemd").iterdir() if file.suffix in {".service", ".target"})
PROGRAM = "/opt/rockdove/bin/rockdove"
INSTANCE = "rockdove@1.service"


def service(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(read(f"systemd/{name}"))
    return parser["Service"]


@needs("systemd-analyze", "systemd")
def test_the_units_are_valid(tmp_path: Path) -> None:
    for name in UNITS:
        text = read(f"systemd/{name}").replace(PROGRAM, "/bin/true")
        (tmp_path / (INSTANCE if "@" in name else name)).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    ours = [line for line in done.stderr.splitlines() if "rockdove" in line]
    assert (done.returncode, ours) == (0, [])


@needs("systemd-analyze", "systemd")
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_the_services_are_locked_in(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", DEPLOY / "systemd" / name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_a_single_node_starts(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = shlex.split(service("rockdove.service")["ExecStart"])
    assert program == PROGRAM
    accept(words, {}, certificate, monkeypatch)


def test_a_node_of_a_cluster_starts(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = service("rockdove@.service")
    specifiers = {"%H": "machine", "%i": "1", "%S": "/var/lib"}
    program, *words = shlex.split(re.sub("%.", lambda match: specifiers[match[0]], unit["ExecStart"]))
    assert program == PROGRAM
    shared, own = read_environment("systemd/cluster.env"), read_environment("systemd/node.env")
    assert not shared.keys() & own.keys()
    accept(words, shared | own, certificate, monkeypatch)
    assert int(unit["TimeoutStopSec"]) >= int(shared["ROCKDOVE_DRAIN_SECONDS"]) + 15
