"""The text behind an alert's `runbook_url`: a scenario's own, else ours for alerts that belong to no scenario."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from lakeproof.observability.scenario_homes import scenario_homes, scenario_id

OWN_RUNBOOKS = Path(__file__).parent / "runbooks"
PREFIX = "/runbook/"

type Language = Literal["vi", "en"]


def find_runbook(name: str, language: Language, further_scenarios: Iterable[Path] = ()) -> str | None:
    """The Markdown; None where nobody wrote it. `name` is compared with names of files, never used as a path."""
    path = _pages(language, further_scenarios).get(name)
    return None if path is None else path.read_text(encoding="utf-8")


def all_runbooks(further_scenarios: Iterable[Path] = (), language: Language = "en") -> list[tuple[str, str]]:
    """The name of each page, with its title in that language."""
    pages = _pages(language, further_scenarios)
    return [(name, _title(path.read_text(encoding="utf-8"), name)) for name, path in sorted(pages.items())]


def own_runbooks() -> tuple[str, ...]:
    """The names of the pages for alerts that belong to no scenario."""
    return tuple(sorted({path.name.partition(".")[0] for path in OWN_RUNBOOKS.glob("*.md")}))


def _title(text: str, name: str) -> str:
    head = next((line for line in text.splitlines() if line.startswith("# ")), "")
    return head.removeprefix("# ").strip() or name


def _pages(language: Language, further_scenarios: Iterable[Path]) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for home in scenario_homes(further_scenarios):
        if (path := home / f"runbook.{language}.md").is_file():
            places.setdefault(scenario_id(home), path)
    return places | {path.name.partition(".")[0]: path for path in OWN_RUNBOOKS.glob(f"*.{language}.md")}
