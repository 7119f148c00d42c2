"""The text behind an alert's `runbook_url`: a scenario's own, else ours for alerts that belong to no scenario."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from lakeproof.observability.rules import SCENARIOS

OWN_RUNBOOKS = Path(__file__).parent / "runbooks"
PREFIX = "/runbook/"

type Language = Literal["vi", "en"]


def find_runbook(name: str, language: Language, further_scenarios: Iterable[Path] = ()) -> str | None:
    """The Markdown; None where nobody wrote it. `name` is compared with names of files, never used as a path."""
    places = [(path.name.partition(".")[0], path) for path in OWN_RUNBOOKS.glob(f"*.{language}.md")]
    for folder in (SCENARIOS, *further_scenarios):
        places += [(path.parent.name, path) for path in folder.glob(f"*/runbook.{language}.md")]
    return next((path.read_text(encoding="utf-8") for found, path in places if found == name), None)
