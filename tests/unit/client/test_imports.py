"""What the SDK needs, and who does without it."""

import subprocess
import sys

import pytest

_ALLOWED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("rockdove", "rockdove__mypyc", "google"):
            raise ModuleNotFoundError(f"{name} is not installed here")
sys.meta_path.insert(0, Blocked())
"""


def run(program: str) -> str:
    result = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_sdk_needs_nothing_but_protobuf() -> None:
    run(
        _ALLOWED
        + "from rockdove import BlockingClient, Client, Refused, MessageReceived, Image\nClient(user='alice', token='x')"
    )


def test_the_check_above_would_notice_another_package() -> None:
    with pytest.raises(AssertionError, match="typer is not installed here"):
        run(_ALLOWED + "import typer")


def test_the_server_does_not_load_the_sdk() -> None:
    loaded = run(
        "import sys, rockdove.server.app\nprint(*[name for name in sys.modules if name.startswith('rockdove.client')])"
    )
    assert loaded.split() == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert run("import rockdove\nprint(hasattr(rockdove, 'Klient'), hasattr(rockdove, 'Client'))") == "False True\n"
