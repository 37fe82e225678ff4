"""docs/bench.md, held against the command."""

from dataclasses import fields
from typing import Any

from rockdove.bench.checking import FAULTS
from rockdove.bench.results import PERCENTILES, as_json
from rockdove.bench.scenarios import SCENARIOS
from rockdove.bench.traffic import Traffic
from rockdove.cli.bench.options import SharedOptions
from tests.bench.measured import MACHINE, result
from tests.docs.commands import command, options
from tests.docs.pages import code_spans, read, section, table

PAGE = read("docs/bench.md")


def column(heading: str, first: str) -> list[str]:
    return [row[0].strip("`") for row in table(section(PAGE, heading), first)]


def test_every_scenario_is_documented_with_its_options() -> None:
    written = {row[0].strip("`"): row[1].replace("`", "").split() for row in table(section(PAGE, "Scenarios"), "scenario")}
    group = command("bench")
    shared = {f"--{each.name.replace('_', '-')}" for each in fields(SharedOptions)} | {"--help"}
    plans = {
        name: [f"--{each.name.replace('_', '-')}" for each in fields(scenario.PLAN)] for name, scenario in SCENARIOS.items()
    }
    assert written == plans
    assert {name: options(entry) - shared for name, entry in group.commands.items()} == {
        name: set(given) for name, given in plans.items()
    }


def test_every_fault_is_documented() -> None:
    assert column("What is checked", "fault") == list(FAULTS)


def test_every_field_of_the_report_is_documented() -> None:
    report: dict[str, Any] = as_json([result(1000)], MACHINE, 1, [])
    (scenario,) = report["scenarios"]
    text = section(PAGE, "The report")
    head, _, steps = text.partition("Each of `steps`")
    assert [row[0].strip("`") for row in table(head, "field")] == list(report)
    assert [row[0].strip("`") for row in table(steps, "field")] == list(scenario["steps"][0])
    spans = set(code_spans(text))
    assert set(report["machine"]) | set(scenario) | {f"p{percent:g}" for percent in PERCENTILES} <= spans
    assert {*Traffic(b"", 100).times(), "login"} <= spans
