"""What Prometheus answers to a panel's queries. A reader names a committed panel by its id, and never a query."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lakeproof.console.dashboards import Panel
from lakeproof.console.quantity import NO_DATA, scale_of, show_quantity
from lakeproof.errors import CouldNotLook
from lakeproof.probes.http import get_json
from lakeproof.probes.prometheus import instant
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 5.0
POINTS = 240
SHORTEST_STEP = 5.0
# Nobody can read a chart of more lines than this.
MOST_SERIES = 60


@dataclass(frozen=True)
class Chart:
    """The numbers of a chart.

    times: UNIX seconds.
    series: a name, and a value (or None) for each time, in `unit`.
    lines: thresholds.
    """

    times: list[int]
    series: list[tuple[str, list[float | None]]]
    unit: str
    lines: list[float]
    minimum: float | None


@dataclass(frozen=True)
class Figure:
    """One number of a stat panel, with its colour by the thresholds."""

    name: str
    text: str
    colour: str


@dataclass(frozen=True)
class Table:
    """A table panel: its heads and its rows, worst first as the query sorts them."""

    heads: list[str]
    rows: list[list[str]]


def ask_chart(stack: Stack, panel: Panel, seconds: int) -> Chart:
    """The panel's queries over the last `seconds`. Raises: CouldNotLook."""
    step = max(SHORTEST_STEP, seconds / POINTS)
    end = time.time() // step * step
    times = [round(end - seconds + step * number) for number in range(int(seconds / step) + 1)]
    series: list[tuple[str, list[float | None]]] = []
    for target in panel.targets:
        for labels, values in _range(stack, target.expr, times[0], times[-1], step):
            series.append((name_of(target.legend, labels), [values.get(at) for at in times]))
    series = series[:MOST_SERIES]
    known = [abs(value) for _, values in series for value in values if value is not None]
    largest = max((*known, *panel.lines), default=0.0) if known else 0.0
    factor, unit = scale_of(largest, panel.shown.unit)
    scaled = [(name, [None if value is None else value * factor for value in values]) for name, values in series]
    return Chart(times, scaled, unit, [line * factor for line in panel.lines], panel.shown.min)


def ask_figures(stack: Stack, panel: Panel) -> list[Figure]:
    """A stat panel's numbers now. Raises: CouldNotLook."""
    found = []
    for target in panel.targets:
        for labels, value in instant(stack, target.expr, TIMEOUT_SECONDS):
            text = show_quantity(value, panel.shown.unit, panel.shown.decimals)
            found.append(Figure(name_of(target.legend, labels), text, panel.colour_of(value)))
    return found or [Figure("", panel.shown.no_value or NO_DATA, "")]


def ask_table(stack: Stack, panel: Panel) -> Table:
    """A table's rows now: a column for each label and each query, joined by labels. Raises: CouldNotLook."""
    rows: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
    for number, target in enumerate(panel.targets):
        for labels, value in instant(stack, target.expr, TIMEOUT_SECONDS):
            key = tuple(sorted((name, said) for name, said in labels.items() if not name.startswith("__")))
            rows.setdefault(key, [None] * len(panel.targets))[number] = value
    names = list(dict.fromkeys(name for key in rows for name, _ in key))
    heads = names + [target.legend or "value" for target in panel.targets]
    shown = [
        [dict(key).get(name, "") for name in names] + [show_quantity(value, panel.shown.unit) for value in values]
        for key, values in rows.items()
    ]
    return Table(heads, shown)


def name_of(legend: str, labels: Mapping[str, str]) -> str:
    """A series' name: the legend with its {{label}} filled in, else its labels."""
    if legend and legend != "__auto":
        return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), legend).strip() or _all(labels)
    return _all(labels)


def _all(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(labels.items()) if name != "__name__") or "value"


def _range(
    stack: Stack, expression: str, start: int, end: int, step: float
) -> list[tuple[dict[str, str], dict[int, float | None]]]:
    query = urlencode({"query": expression, "start": start, "end": end, "step": f"{step:g}"})
    data: Any = get_json(f"{stack.url('prometheus')}/api/v1/query_range?{query}", TIMEOUT_SECONDS)
    if not isinstance(data, dict) or data.get("status") != "success":
        raise CouldNotLook("Prometheus gave no result", where=expression)
    return [
        (one["metric"], {round(at): None if math.isnan(float(said)) else float(said) for at, said in one["values"]})
        for one in data["data"]["result"]
    ]
