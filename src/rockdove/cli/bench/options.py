"""The options that all scenarios share, and those that their plans have, as typer takes them."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import typer


def shared(default: Any, **option: Any) -> Any:
    """A field of SharedOptions, with what `typer.Option` takes."""
    return field(default=default, metadata=option)


@dataclass(frozen=True, slots=True)
class SharedOptions:
    """Who is measured, by how many, how often, and where the report goes."""

    server: str | None = shared(None, metavar="HOST:PORT,…", help="Measure a server that runs, or its nodes [start one].")
    pid: str | None = shared(None, metavar="PID,…", help="Its processes, when it runs here: their CPU and memory is told.")
    org: str = shared("default", metavar="ORG", help="Organisation of the tenant on that server.")
    app: str = shared("default", metavar="APPKEY", help="Appkey of the tenant.")
    secret: str | None = shared(
        None,
        metavar="SECRET",
        envvar="ROCKDOVE_SECRET",
        help="Its secret (rockdove tenant token --secret): users are made with it.",
    )
    users_file: Path | None = shared(None, metavar="FILE", help="Or users that are there, in lines name:password.")
    store: str | None = shared(
        None, metavar="URL", help="Start the server on this PostgreSQL database; the load gets a tenant there."
    )
    processes: int | None = shared(
        None, metavar="N", min=1, help="Load processes [as many as there are cores, less one, up to 4]."
    )
    patience: float = shared(40.0, metavar="SECONDS", min=0, help="How long to wait for what does not come.")
    repeat: int = shared(1, metavar="N", min=1, help="Do it so often; told is the median [lowest–highest].")
    floor: bool = shared(True, help="Measure the floor, too: the same load on a server that stores nothing.")
    out: Path = shared(Path("rockdove-bench"), metavar="DIR", help="Where report, plots, and the data meanwhile go.")
    json: Path | None = shared(
        None, metavar="FILE", help="Write the report here, too; - is standard output, and nothing else is."
    )
    lang: str | None = shared(None, metavar="LANG", help="en or zh, if not the locale's.")


def parameters(*dataclasses: Any) -> list[inspect.Parameter]:
    """The fields of the dataclasses as parameters of a command."""
    return [_parameter(each) for one in dataclasses for each in fields(one)]


def take(dataclass_: Any, values: dict[str, Any]) -> Any:
    """One of the dataclasses, with what was given for its fields."""
    return dataclass_(**{each.name: values[each.name] for each in fields(dataclass_)})


def shaped(function: Callable[..., int], name: str, explanation: str, given: list[inspect.Parameter]) -> Callable[..., int]:
    """`function`, which takes anything, as a command with these parameters."""

    def command(**values: Any) -> int:
        return function(**values)

    command.__name__ = name
    command.__doc__ = explanation
    command.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in given}
    return command


def _parameter(each: "Field[Any]") -> inspect.Parameter:
    assert each.default is not MISSING
    described = typer.Option(**{"show_default": each.default is not None, **each.metadata})
    annotation = Annotated[each.type, described]  # type: ignore[name-defined]
    return inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=annotation)
