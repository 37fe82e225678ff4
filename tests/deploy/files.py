"""The files of deploy/, read and put where a test can run them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DEADLINE_SECONDS = 60


def read(name: str) -> str:
    """The text of a file, by its path in deploy/."""
    return (DEPLOY / name).read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    """A YAML file of deploy/."""
    return yaml.safe_load(read(name))


def read_environment(name: str) -> dict[str, str]:
    """A file of lines NAME=value, as systemd reads it."""
    lines = [line for line in read(name).splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def adapted(name: str, directory: Path, replacements: Mapping[str, object]) -> Path:
    """A copy in `directory` with each key replaced by its value. Raises AssertionError for a key that is not in the file."""
    text = read(name)
    for old, new in replacements.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, str(new))
    copy = directory / Path(name).name
    copy.write_text(text, encoding="utf-8")
    return copy


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skips where a program of the system is missing."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}: apt-get install {package}")
