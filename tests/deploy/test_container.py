"""Dockerfile and compose files: linted, held against the compose schema, their commands run or parsed.

No container is started."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.deploy.files import DEADLINE_SECONDS, DEPLOY, ROOT, read, read_yaml
from tests.deploy.settings import accept
from tests.docs.commands import parse, shown
from tests.process import add_users
from tests.protocol.real import Certificate

COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
NAMES = [file.name for file in COMPOSE]
TOOLS = Path(sys.executable).parent


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, as (word, rest), with continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", read("Dockerfile"), flags=re.MULTILINE)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def instruction(name: str) -> str:
    """The last one of that name."""
    return [rest for word, rest in instructions() if word == name][-1]


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(instruction("ENV")))


def image_command() -> list[str]:
    """What runs in a container that was given no command."""
    entry, command = (re.findall(r'"([^"]*)"', instruction(name)) for name in ("ENTRYPOINT", "CMD"))
    assert entry == ["rockdove"]
    return command


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    subprocess.run([TOOLS / "hadolint", DEPLOY / "Dockerfile"], check=True, timeout=DEADLINE_SECONDS)


def test_the_image_is_built_from_what_is_here() -> None:
    kept = [line[1:] for line in read("Dockerfile.dockerignore").splitlines() if line.startswith("!")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"hatch_build.py", "pyproject.toml", "src", project["readme"], *project["license-files"]} == set(kept)
    assert all((ROOT / name).exists() for name in kept)
    (installed,) = re.findall(r'"/src\[([\w,]+)\]"', read("Dockerfile"))
    assert set(installed.split(",")) <= set(project["optional-dependencies"])


def test_the_image_starts_a_server(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    config = accept(image_command(), image_environment(), certificate, monkeypatch)
    exposed = set(map(int, instruction("EXPOSE").split()))
    assert config.tcp
    assert config.http
    assert {config.tcp.port, config.http.port} <= exposed
    assert str(config.data) == instruction("VOLUME")


def test_the_health_check_tells_a_server_that_is_ready_from_none(tmp_path: Path, start_server: StartServer) -> None:
    add_users(tmp_path, ["alice"])
    server = start_server(tmp_path, "--http", "127.0.0.1:0")
    server.wait_for_event("ready")
    program, *words = re.findall(r'"((?:[^"])*)"', instruction("HEALTHCHECK"))
    assert program == "python"

    def check() -> int:
        here = [word.replace(":5180", f":{port}") for word in words]
        assert here != words
        return subprocess.run([sys.executable, *here], check=False, capture_output=True, timeout=DEADLINE_SECONDS).returncode

    port = server.port("http")
    assert check() == 0
    server.stop()
    assert check() != 0


@pytest.mark.parametrize("file", COMPOSE, ids=NAMES)
def test_compose_files_are_what_the_specification_says(file: Path) -> None:
    command = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file]
    subprocess.run(command, check=True, timeout=DEADLINE_SECONDS)


def services(file: Path) -> dict[str, Any]:
    return dict(read_yaml(f"compose/{file.name}")["services"])


def nodes(file: Path) -> dict[str, Any]:
    return {name: service for name, service in services(file).items() if "rockdove" in service["image"]}


@pytest.mark.parametrize("file", COMPOSE, ids=NAMES)
def test_nodes_of_compose_files_start(file: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nodes(file)
    for service in nodes(file).values():
        assert (file.parent / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        environment = {name: _filled(value) for name, value in service.get("environment", {}).items()}
        accept(service.get("command", image_command()), image_environment() | environment, certificate, monkeypatch)
        drain_seconds = int(environment.get("ROCKDOVE_DRAIN_SECONDS", "0"))
        assert int(service["stop_grace_period"].removesuffix("s")) >= drain_seconds + 15


@pytest.mark.parametrize("file", COMPOSE, ids=NAMES)
def test_what_compose_files_mount_and_depend_on_is_there(file: Path) -> None:
    there = services(file)
    volumes = read_yaml(f"compose/{file.name}")["volumes"]
    for service in there.values():
        assert set(service.get("depends_on", ())) <= set(there)
        for source in (mount.partition(":")[0] for mount in service.get("volumes", ()) if not mount.startswith("$")):
            assert (file.parent / source).exists() if source.startswith(".") else source in volumes


def test_each_node_of_the_cluster_has_a_name_that_haproxy_knows() -> None:
    names = nodes(DEPLOY / "compose" / "cluster.yaml")
    assert {name: service["environment"]["ROCKDOVE_NODE_NAME"] for name, service in names.items()} == {n: n for n in names}
    assert set(re.findall(r"^ +server (\w+)", read("haproxy/haproxy.cfg"), re.MULTILINE)) == set(names)


def test_nodes_of_the_cluster_believe_the_network_of_haproxy() -> None:
    file = DEPLOY / "compose" / "cluster.yaml"
    (network,) = read_yaml("compose/cluster.yaml")["networks"]["default"]["ipam"]["config"]
    assert {node["environment"]["ROCKDOVE_PROXY_PROTOCOL"] for node in nodes(file).values()} == {network["subnet"]}
    assert "send-proxy-v2" in read("haproxy/haproxy.cfg")


@pytest.mark.parametrize("file", COMPOSE, ids=NAMES)
def test_commands_in_the_headers_can_be_given(file: Path) -> None:
    header = "\n".join(line.removeprefix("#") for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    found = [words for words in shown(re.sub(r"^ (?! ).*$", "", header, flags=re.MULTILINE)) if words[0] != "/"]
    assert found
    for words in found:
        parse(words)


def _filled(value: str) -> str:
    """With a value for each variable that compose would put in."""
    return re.sub(r"\$\{\w+(:?[?-][^}]*)?\}", "secret", value)
