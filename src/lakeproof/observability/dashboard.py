"""The dashboard `Dataflow Overview`: the JSON that Grafana imports and the console draws.

scripts/dashboards/dataflow_overview.py makes the file; what a viewer may rely on is written there.
"""

from importlib.resources import files

FILE = "dataflow-overview.json"


def read_dashboard() -> str:
    """The JSON as committed, with a newline at its end."""
    return (files("lakeproof.observability") / "dashboards" / FILE).read_text(encoding="utf-8")
