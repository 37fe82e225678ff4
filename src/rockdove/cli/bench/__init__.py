"""rockdove bench: measuring a server, one's own or another, from outside."""

import inspect
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from rockdove.bench.errors import BenchError
from rockdove.bench.scenarios import SCENARIOS
from rockdove.cli.bench.options import SharedOptions, parameters, shaped, take
from rockdove.cli.chat.login import choose_texts
from rockdove.cli.errors import FAILED, CommandError, wrong_usage

bench = typer.Typer(
    help="Measure a server, and check that it loses, doubles and reorders nothing.", rich_markup_mode=None, add_completion=False
)

# Without a scenario: a minute or so.
SUITE: Final[Sequence[tuple[str, dict[str, Any]]]] = (
    ("chat", {"seconds": 3.0}),
    ("chat", {"window": 1, "seconds": 3.0}),
    ("latency", {"seconds": 5.0}),
    ("group", {"seconds": 3.0}),
    ("offline", {}),
    ("idle", {"connections": 1000, "heartbeat": 2.0, "seconds": 3.0}),
    ("storm", {"clients": 500}),
    ("mixed", {"seconds": 5.0}),
)


def _measure(plans: Sequence[tuple[str, Any]], options: SharedOptions) -> int:
    from rockdove.cli.bench.session import Session  # the load's packages: --help does without

    texts = choose_texts(options.lang, "bench")
    try:
        return 0 if Session(options, texts).measure(plans) else FAILED
    except BenchError as error:
        raise CommandError(texts[error.key].format(**error.values)) from None


def _suite(context: typer.Context, **values: Any) -> int:
    options = take(SharedOptions, values)
    if not context.invoked_subcommand:
        return _measure([(name, SCENARIOS[name].PLAN(**plan)) for name, plan in SUITE], options)
    sources = (context.get_parameter_source(name) for name in values)
    if any(source and source.name == "COMMANDLINE" for source in sources):
        raise wrong_usage(f"give options behind the scenario: rockdove bench {context.invoked_subcommand} …")
    return 0


def _register(name: str) -> None:
    scenario = SCENARIOS[name]

    def run(**values: Any) -> int:
        return _measure([(name, take(scenario.PLAN, values))], take(SharedOptions, values))

    summary = sys.modules[scenario.__module__].__doc__ or ""
    bench.command(name)(shaped(run, name, summary, parameters(scenario.PLAN, SharedOptions)))


for _name in SCENARIOS:
    _register(_name)

_CONTEXT: Final = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
bench.callback(invoke_without_command=True)(
    shaped(_suite, "suite", f"{bench.info.help} Without a scenario: a bit of each.", [_CONTEXT, *parameters(SharedOptions)])
)
