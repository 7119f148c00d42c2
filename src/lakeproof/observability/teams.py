"""Teams, and how long each has to acknowledge an incident (teams.yml)."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

DEFAULT_TEAM = "data-platform"


@dataclass(frozen=True)
class Team:
    """One team."""

    name: str
    acknowledge_minutes: int


@cache
def all_teams() -> dict[str, Team]:
    """Name → team."""
    data = yaml.safe_load((files("lakeproof.observability") / "teams.yml").read_text(encoding="utf-8"))
    return {name: Team(name, **fields) for name, fields in data.items()}


def acknowledge_seconds(team: str) -> float:
    """The promised time to acknowledge; a team that is not known counts as the default one."""
    teams = all_teams()
    return teams.get(team, teams[DEFAULT_TEAM]).acknowledge_minutes * 60.0
