"""Teams, and how long each has to acknowledge an incident (teams.yml)."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lakeproof.observability.routes import all_routes
from lakeproof.yaml_file import load_yaml

COMMON = "slack-data-ops"
DEFAULT_TEAM = "data-platform"


@dataclass(frozen=True)
class Team:
    """One team."""

    name: str
    acknowledge_minutes: int

    @property
    def channel(self) -> str:
        """Where people hear of the team's alerts, in words. A team that no route names has the common channel."""
        own = [route.channel for route in all_routes() if f'team="{self.name}"' in route.matchers]
        return own[0] if own else next(route.channel for route in all_routes() if route.to == COMMON)


@cache
def all_teams() -> dict[str, Team]:
    """Name → team."""
    data = load_yaml((files("lakeproof.observability") / "teams.yml").read_text(encoding="utf-8"))
    return {name: Team(name, **fields) for name, fields in data.items()}


def acknowledge_seconds(team: str) -> float:
    """The promised time to acknowledge; a team that is not known counts as the default one."""
    teams = all_teams()
    return teams.get(team, teams[DEFAULT_TEAM]).acknowledge_minutes * 60.0
