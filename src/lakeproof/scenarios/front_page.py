"""The front page of docs/runbook: its prose, with the lists of pages, teams and items made from the data."""

from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from lakeproof.observability.routes import all_routes
from lakeproof.observability.rules import find_rules, own_alerts
from lakeproof.observability.runbook import all_runbooks
from lakeproof.observability.teams import Team, all_teams
from lakeproof.scenarios.pages import LANGUAGES, NOTE, WORDS, table
from lakeproof.scenarios.scenario import Language, Scenario

FILES = {"en": "README.md", "vi": "README.vi.md"}
# The roles in the words of the runbook; a team without one has its own name.
ROLES = {
    "data-platform": "Data Platform On-call",
    "kafka": "Kafka SME",
    "cassandra": "Cassandra SME",
    "infrastructure": "Infra",
}
HEADS = {
    "en": {"incident": "Incident", "role": "Role", "channel": "Channel", "set_by": "Reached once this is set"},
    "vi": {"incident": "Tình huống", "role": "Vai trò", "channel": "Kênh", "set_by": "Nhận được khi đã đặt"},
}


def front_page(
    scenarios: Collection[Scenario], checklist: Sequence[Mapping[Language, str]], language: Language
) -> str:
    """The page in Markdown. checklist: the words of each item, by language."""
    words, heads = WORDS[language], HEADS[language]
    pages = [
        (
            f"[{each.titles[language]}]({each.id}.{language}.md)",
            ", ".join(f"`{alert}`" for alert in each.owned_alerts),
            each.severity,
            each.team,
            words["minutes"].format(each.sla_minutes),
        )
        for each in sorted(scenarios, key=lambda each: each.id)
    ]
    titles = dict(all_runbooks((), language))
    further = own_alerts([rule for file in find_rules() for rule in file.alerts])
    contacts = [
        (
            ROLES.get(team.name, team.name),
            team.channel,
            _set_by(team),
            words["minutes"].format(team.acknowledge_minutes),
        )
        for team in all_teams().values()
    ]
    parts = {
        "pages": table(
            (heads["incident"], words["alerts"], *(words[key] for key in ("severity", "team", "acknowledge"))), pages
        ),
        "further": [f"- [{titles[name]}]({name}.{language}.md)" for name in further],
        "contacts": table((heads["role"], heads["channel"], heads["set_by"], words["acknowledge"]), contacts),
        "checklist": [f"- [ ] {item[language]}" for item in checklist],
    }
    text = (files("lakeproof.scenarios") / f"front_page.{language}.md").read_text(encoding="utf-8")
    for name, lines in parts.items():
        text = text.replace(f"@{name}@", "\n".join(lines))
    return text + NOTE.format(place="src/lakeproof/scenarios/front_page.py and the scenarios") + "\n"


def _set_by(team: Team) -> str:
    """The variable without which nobody is told at the team's channel."""
    return next(f"`{route.set_by}`" for route in all_routes() if route.channel == team.channel)


def write_front_page(
    scenarios: Collection[Scenario], checklist: Sequence[Mapping[Language, str]], folder: Path
) -> list[Path]:
    """Write the page in every language; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for language in LANGUAGES:
        path = folder / FILES[language]
        path.write_text(front_page(scenarios, checklist, language), encoding="utf-8")
        written.append(path)
    return written
