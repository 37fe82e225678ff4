"""Command lines and environments of `rockdove`, held against the command itself without starting it."""

from collections.abc import Mapping, Sequence

import pytest

from rockdove.server.config import ENVIRONMENT_PREFIX, Config, load_config
from tests.docs.commands import commands, parse
from tests.protocol.real import Certificate


def accept(
    words: Sequence[str], environment: Mapping[str, str], certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Config:
    """What `rockdove serve …` would run with there. Raises AssertionError, ConfigError or an error of typer when it would not.

    Certificates are replaced by `certificate`: those that the files name are not on this machine.
    """
    assert words[0] == "serve"
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            setting = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            assert setting in Config.model_fields, f"{name} is no setting"
            monkeypatch.setenv(name, str({"cert": certificate.cert, "key": certificate.key}.get(setting, value)))
    parse(list(words))
    flags = commands()["serve"].make_context("serve", list(words[1:])).params
    return load_config(None, {name: value for name, value in flags.items() if name != "config"})
