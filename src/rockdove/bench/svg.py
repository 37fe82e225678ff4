"""Charts as SVG, just enough for the report: lines over an axis, and bars."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 720
_HEIGHT: Final = 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 60, 50  # margins
_BAR: Final = 22
_BAR_GAP: Final = 12
_LABEL: Final = 330  # room left of bars
_LEGEND: Final = 170  # width of one entry
_COLOURS: Final = ("#2563a8", "#c2571a", "#3c8031", "#8a4fa3", "#555555")  # told apart by those who see no red, too
_GREY: Final = "#cccccc"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """What values mean along one side. `scale` makes them even, and grows with them."""

    label: str
    ticks: Sequence[tuple[float, str]]
    lowest: float
    highest: float
    scale: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """Where a value stands, from 0 to 1."""
        low, high = self.scale(self.lowest), self.scale(self.highest)
        return min(max((self.scale(value) - low) / (high - low), 0.0), 1.0)


def logarithmic(label: str, values: Sequence[float]) -> Axis:
    """An axis with ticks at powers of ten around all `values` above 0."""
    positive = [value for value in values if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    last = max(last, first + 1)
    ticks = [(10.0**power, f"{10.0**power:g}") for power in range(first, last + 1)]
    return Axis(label, ticks, 10.0**first, 10.0**last, lambda value: math.log10(max(value, 10.0**first)))


def linear(label: str, values: Sequence[float]) -> Axis:
    """An axis from 0 with some ticks at round numbers."""
    highest = max([*values, 0.0]) or 1.0
    step = 10.0 ** math.floor(math.log10(highest))
    step = next(part for part in (step / 5, step / 2, step, step * 2) if highest / part <= 6)
    count = math.ceil(highest / step)
    return Axis(label, [(n * step, f"{n * step:g}") for n in range(count + 1)], 0.0, count * step)


def lines(title: str, across: Axis, up: Axis, series: Sequence[tuple[str, Sequence[Point]]]) -> str:
    """A chart of lines, each with its name."""
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    bottom = _TOP + high

    def place(point: Point) -> str:
        return f"{_LEFT + across.at(point[0]) * wide:.1f},{bottom - up.at(point[1]) * high:.1f}"

    parts = [_text(_LEFT + wide / 2, _HEIGHT - 10, across.label, "middle"), _text(10, _TOP - 10, up.label)]
    for value, label in across.ticks:
        x = _LEFT + across.at(value) * wide
        parts += [_line(x, _TOP, x, bottom, _GREY), _text(x, bottom + 18, label, "middle")]
    for value, label in up.ticks:
        y = bottom - up.at(value) * high
        parts += [_line(_LEFT, y, _LEFT + wide, y, _GREY), _text(_LEFT - 8, y + 4, label, "end")]
    for number, (name, points) in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(map(place, points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_LEFT + number * _LEGEND, 45, f"— {name}", colour=colour))
    return _document(title, _WIDTH, _HEIGHT, parts)


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """A chart of bars: what, how much, and how that is written behind it."""
    room = _WIDTH - _LABEL - 110
    most = max((value for _, value, _ in rows), default=0.0) or 1.0
    parts = []
    for number, (label, value, written) in enumerate(rows):
        y = _TOP + number * (_BAR + _BAR_GAP)
        width = value / most * room
        parts.append(_text(_LABEL - 8, y + 16, label, "end"))
        parts.append(f'<rect x="{_LABEL}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[0]}"/>')
        parts.append(_text(_LABEL + width + 8, y + 16, written))
    return _document(title, _WIDTH, _TOP + len(rows) * (_BAR + _BAR_GAP) + 10, parts)


def _document(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="10" y="24" font-size="16">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
