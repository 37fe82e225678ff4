"""Build hook of the wheel: with ROCKDOVE_COMPILE=1 in the environment the hot modules are compiled by mypyc.

Without it the wheel is pure Python. The modules, and what compiles them, stand in pyproject.toml.
"""

import os
import shutil
import sysconfig
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledModules(BuildHookInterface[Any]):
    """Puts the compiled modules into the wheel, beside their source, which tracebacks show."""

    def dependencies(self) -> list[str]:
        return list(self.config["compiler"]) if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not _wanted():
            return
        if version == "editable":
            self.app.abort("rockdove: an editable installation is not compiled: leave out --editable, or ROCKDOVE_COMPILE")
        _require_c_compiler(self.app.abort)
        self._scratch = TemporaryDirectory()  # until the wheel is written
        built = _compile(Path(self.root), self.config["modules"], Path(self._scratch.name))
        build_data["force_include"] |= {str(file): str(file.relative_to(built)) for file in built.rglob("*.so")}
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if _wanted():
            self._scratch.cleanup()


def _wanted() -> bool:
    return os.environ.get("ROCKDOVE_COMPILE", "0") not in ("", "0")


def _require_c_compiler(abort: Any) -> None:
    compiler = str(sysconfig.get_config_var("CC") or "gcc").split()[0]
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if shutil.which(compiler) is None or not headers.exists():
        missing = f"{compiler} and Python's headers ({headers})"
        abort(f"rockdove: compiling needs {missing}: sudo apt-get install gcc python3-dev, or leave out ROCKDOVE_COMPILE")


def _compile(root: Path, modules: list[str], scratch: Path) -> Path:
    """Compile modules (paths below src) into one library, and a small one for each that is imported in its place.

    Returns the directory that holds them as site-packages will.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution

    built = scratch / "built"
    with chdir(root / "src"):  # mypy tells from the paths what the modules are called
        options = [f"--config-file={root / 'pyproject.toml'}", f"--cache-dir={scratch / 'cache'}"]
        extensions = mypycify([*options, *modules], target_dir=str(scratch / "c"), group_name="rockdove", debug_level="0")
        command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(built), str(scratch / "objects")
        command.ensure_finalized()
        command.run()
    return built
