"""Dashboards as Grafana's JSON has them (schema 36), read as far as the console draws them.

The files lie in observability/dashboards/, where Grafana imports them too: one source, two viewers.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

FOLDER = files("lakeproof.observability") / "dashboards"
ROW = "row"
DRAWN = frozenset({"timeseries", "stat", "table", ROW})


class _Read(BaseModel):
    """Part of a dashboard; what the console does not use is left out."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Target(_Read):
    """One query of a panel. legend: a template for the names of its series, with {{label}} in it."""

    expr: str
    legend: str = Field("", alias="legendFormat")


class Place(_Read):
    """Where a panel stands, in a grid of 24 columns."""

    h: int
    w: int
    x: int
    y: int


class Step(_Read):
    """From `value` on (None: from the lowest value on) a number has this colour."""

    color: str
    value: float | None = None


class Thresholds(_Read):
    """The steps, the lowest first."""

    steps: list[Step] = []


class Line(_Read):
    """How lines are drawn."""

    thresholds_style: dict[str, Any] = Field({}, alias="thresholdsStyle")


class Defaults(_Read):
    """How a panel's numbers are shown."""

    unit: str = ""
    decimals: int | None = None
    min: float | None = None
    no_value: str = Field("", alias="noValue")
    thresholds: Thresholds = Thresholds()
    custom: Line = Line()


class FieldConfig(_Read):
    """How the panel's fields are shown. Overrides of single series are not drawn; a test says that there are none."""

    defaults: Defaults = Defaults()
    overrides: list[Any] = []


class Panel(_Read):
    """One panel; a panel of type `row` is a heading."""

    id: int
    type: str
    title: str = ""
    description: str = ""
    place: Place = Field(alias="gridPos")
    targets: list[Target] = []
    fields: FieldConfig = Field(FieldConfig(), alias="fieldConfig")
    panels: list["Panel"] | None = None

    @property
    def shown(self) -> Defaults:
        """How its numbers are shown."""
        return self.fields.defaults

    @property
    def lines(self) -> list[float]:
        """The thresholds that are drawn as lines."""
        if self.shown.custom.thresholds_style.get("mode", "off") == "off":
            return []
        return [step.value for step in self.shown.thresholds.steps if step.value is not None]

    def colour_of(self, value: float) -> str:
        """good, warn or bad, by the thresholds; empty where there are none."""
        found = ""
        for step in self.shown.thresholds.steps:
            if step.value is None or value >= step.value:
                found = step.color
        return {"green": "good", "yellow": "warn", "orange": "warn", "red": "bad"}.get(found, "")


class Dashboard(_Read):
    """One file."""

    uid: str
    title: str
    panels: list[Panel]

    def all_panels(self) -> Iterator[Panel]:
        """Each panel, also those of a folded row."""
        for panel in self.panels:
            yield panel
            yield from panel.panels or ()

    def find(self, id_: int) -> Panel | None:
        """The panel of that id."""
        return next((panel for panel in self.all_panels() if panel.id == id_), None)


def read_dashboards() -> Mapping[str, Dashboard]:
    """Every committed dashboard, by its uid."""
    found = [
        Dashboard.model_validate_json(path.read_text(encoding="utf-8"))
        for path in FOLDER.iterdir()
        if path.name.endswith(".json")
    ]
    return {one.uid: one for one in sorted(found, key=lambda one: one.title)}
