"""Panels as a viewer of dashboards knows them, made with Grafana's own SDK.

Panels are timeseries, stat or table, and rows are headings. A range is always written out (no `$__rate_interval`). A
stat and a table are instant queries; a table's columns are its targets, named by their legend and joined by the label
that they share.
"""

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DataTransformerConfig, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# The viewer of a Grafana picks its Prometheus here; the console has one alone.
SOURCE = DataSourceRef("prometheus", "${datasource}")
HALF, THIRD, SIXTH = 12, 8, 4  # of 24 columns

type Query = tuple[str, str]
type Panel = timeseries.Panel | stat.Panel | table.Panel


def _bounds(limit: float | None, *, low: bool) -> dashboard.ThresholdsConfig:
    """Green on the good side of `limit`, red on the other; `low` says that small values are bad."""
    steps = [Threshold(None, "green")]
    if limit is not None:
        steps = [Threshold(None, "red" if low else "green"), Threshold(limit, "green" if low else "red")]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def lines(
    title: str,
    about: str,
    *queries: Query,
    unit: str = "short",
    limit: float | None = None,
    low: bool = False,
    span: int = THIRD,
    height: int = 8,
) -> Panel:
    """A panel of lines over time. A query is (expression, legend); `limit` is drawn where an alert has its bound."""
    panel = timeseries.Panel().title(title).description(about).unit(unit).span(span).height(height)
    panel.datasource(SOURCE)
    panel.min(0).thresholds(_bounds(limit, low=low)).show_points(VisibilityMode.NEVER).line_width(1).fill_opacity(8)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    if limit is not None:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    for number, (expression, legend) in enumerate(queries):
        panel.with_target(_query(number, expression, legend).range())
    return panel


def number(title: str, about: str, expression: str, *, unit: str = "short", limit: float | None = None) -> Panel:
    """One number now, red above `limit`."""
    panel = stat.Panel().title(title).description(about).unit(unit).span(SIXTH).height(4).datasource(SOURCE)
    panel.thresholds(_bounds(limit, low=False)).graph_mode(BigValueGraphMode.NONE).no_value("-")
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.with_target(_query(0, expression, title).instant())


def columns(title: str, about: str, *queries: Query, span: int = THIRD, height: int = 8) -> Panel:
    """A table now, one row per label set that all queries share; a query is (expression, heading of its column)."""
    panel = table.Panel().title(title).description(about).span(span).height(height).datasource(SOURCE)
    renamed = {f"Value #{_letter(place)}": heading for place, (_, heading) in enumerate(queries)}
    for place, (expression, heading) in enumerate(queries):
        panel.with_target(_query(place, expression, heading).instant().format(PromQueryFormat.TABLE))
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True, "__name__": True, "instance": True, "job": True},
                "renameByName": renamed | ({"Value": queries[0][1]} if len(queries) == 1 else {}),
            },
        )
    )
    return panel


def _letter(place: int) -> str:
    return "ABCDEFGHIJ"[place]


def _query(place: int, expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(_letter(place)).expr(expression).legend_format(legend).datasource(SOURCE)


def share(part: str, whole: str) -> str:
    """An expression: `part` of `whole`, nothing where `whole` is 0."""
    return f"{part} / ({whole} > 0)"


def p95(histogram: str, by: str = "") -> str:
    """An expression: the 95th percentile of a histogram over five minutes."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.95, sum by ({labels}) (rate({histogram}_bucket[5m])))"
