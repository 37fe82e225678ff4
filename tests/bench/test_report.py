"""The report: table, JSON, pictures."""

import json
from xml.etree import ElementTree as ET

import pytest

from rockdove.bench import svg
from rockdove.bench.plots import plots
from rockdove.bench.results import as_json, spread
from rockdove.bench.table import describe_machine, describe_results
from rockdove.locale import LANGUAGES, load_texts
from tests.bench.measured import MACHINE, measured, result

TEXTS = load_texts("en", "bench")
SVG = "{http://www.w3.org/2000/svg}"


def test_figures_are_medians_with_their_spread() -> None:
    told = as_json([result(100_000, 200_000, 50_000)], MACHINE, 3, ["b.svg", "a.svg"])
    assert json.loads(json.dumps(told))["pictures"] == ["a.svg", "b.svg"]
    (chat,) = told["scenarios"]
    (step,) = chat["steps"]
    assert (told["good"], told["processes"], chat["plan"]["window"]) == (True, 3, 1)
    assert step["per_second"] == {"median": 50_000, "lowest": 25_000, "highest": 100_000}
    assert step["server_cpu_us"] == {"median": 10, "lowest": 5, "highest": 20}
    assert step["server_cpu_us_over_floor"] == 2
    assert step["server_rss_growth_bytes_per_unit"] == {"median": 0.02, "lowest": 0.01, "highest": 0.04}
    assert step["times_ms"]["received"]["max"] == {"median": 100, "lowest": 100, "highest": 100}
    assert step["times_ms"]["received"]["p50"]["median"] == pytest.approx(50, rel=0.02)


def test_what_nobody_knows_is_null() -> None:
    step = as_json([result(1000, cpu_seconds=None)], MACHINE, 1, [])["scenarios"][0]["steps"][0]
    assert step["server_cpu_us"] is None
    assert step["server_cpu_us_over_floor"] is None


def test_the_table_shows_figures_and_says_that_all_was_well() -> None:
    lines = describe_results([result(100_000, 200_000)], TEXTS)
    (row,) = [line for line in lines if "received" in line]
    assert row.split()[:4] == ["talk", "(message)", "75,000", "[50,000–100,000]"]
    assert "1.5 ×" in row
    assert lines[-1] == "chat window=1: nothing was lost, doubled, altered or out of order"


def test_a_run_with_loss_says_failed() -> None:
    bad = result(1000, faults={"lost": 3, "doubled": 1})
    assert not bad.good
    assert describe_results([bad], TEXTS)[-1] == "chat window=1: FAILED: 3 lost, 1 doubled"
    assert not as_json([bad], MACHINE, 1, [])["good"]


def test_a_run_in_which_nothing_was_done_is_not_good() -> None:
    assert describe_results([result(0)], TEXTS)[-1] == "chat window=1: FAILED: nothing was done"


def test_the_reader_learns_when_figures_suffer() -> None:
    assert any("97 %" in line for line in describe_results([result(1000, load_cpu=0.97)], TEXTS))
    assert any("tmpfs" in line and line.startswith("note") for line in describe_machine(MACHINE, TEXTS))


@pytest.mark.parametrize("language", LANGUAGES)
def test_columns_stand_below_each_other(language: str) -> None:
    from wcwidth import wcswidth

    texts = load_texts(language, "bench")
    head, _, row, *_ = describe_results([result(1000)], texts)
    assert wcswidth(head) == wcswidth(row)


def test_pictures_are_xml_and_have_the_points() -> None:
    pictures = plots([result(100_000, 200_000)], TEXTS)
    assert sorted(pictures) == ["chat-window-1-talk-progress.svg", "chat-window-1-talk-times.svg", "cpu.svg"]
    found = {name: ET.fromstring(picture) for name, picture in pictures.items()}
    times = found["chat-window-1-talk-times.svg"].findall(f"{SVG}polyline")
    assert [len(line.get("points", "").split()) for line in times] == [len(measured(1).times["received"].curve())] * 2
    progress = found["chat-window-1-talk-progress.svg"].findall(f"{SVG}polyline")
    assert [len(line.get("points", "").split()) for line in progress] == [4, 4]
    widths = [float(bar.get("width", "")) for bar in found["cpu.svg"].findall(f"{SVG}rect")[1:]]
    assert widths[0] == pytest.approx(widths[1] * 1.5, rel=0.01)  # 7.5 µs beside 5 µs of the floor


def test_axes_place_values_between_their_ends() -> None:
    even, powers = svg.linear("x", [0, 42]), svg.logarithmic("y", [0.2, 30])
    assert [even.at(value) for value in (0, 25, 50, 60)] == [0, 0.5, 1, 1]
    assert [powers.at(value) for value in (0, 0.1, 100)] == [0, 0, 1]
    assert powers.at(10) == pytest.approx(2 / 3)
    assert [label for _, label in powers.ticks] == ["0.1", "1", "10", "100"]


def test_texts_in_pictures_are_escaped() -> None:
    assert ET.fromstring(svg.bars("<a & b>", [("<c>", 1.0, "&")])).findtext(f"{SVG}title") == "<a & b>"


def test_one_value_is_its_own_spread() -> None:
    assert spread([3.0]) == (3.0, 3.0, 3.0)
