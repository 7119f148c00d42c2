"""The table of who hears of which alert (routes.yml)."""

from functools import cache
from importlib.resources import files

from lakeproof.strict_model import StrictModel
from lakeproof.yaml_file import load_yaml


class Route(StrictModel, frozen=True):
    """One row: alerts that fit all `matchers` go to the receiver `to`, where the environment has `set_by`."""

    to: str
    alerts: str
    channel: str
    matchers: tuple[str, ...] = ()
    set_by: str = ""


@cache
def all_routes() -> tuple[Route, ...]:
    """Every row, in the file's order."""
    data = load_yaml((files("lakeproof.observability") / "routes.yml").read_text(encoding="utf-8"))
    return tuple(Route.model_validate(row) for row in data)
