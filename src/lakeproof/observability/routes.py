"""The table of who hears of which alert (routes.yml)."""

from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from lakeproof.yaml_file import load_yaml


class Route(BaseModel):
    """One row: alerts that fit all `matchers` go to the receiver `to`, where the environment has `set_by`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


def as_markdown() -> str:
    """The table as docs/observability.md shows it."""
    rows = [
        f"| {route.alerts} | {' '.join(f'`{one}`' for one in route.matchers) or 'all'} | {route.channel} | "
        f"{f'`{route.set_by}`' if route.set_by else 'always there'} |"
        for route in all_routes()
    ]
    return "\n".join(["| What | Matchers | Goes to | Set by |", "| --- | --- | --- | --- |", *rows]) + "\n"
