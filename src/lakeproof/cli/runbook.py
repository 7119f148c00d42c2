"""`lakeproof runbook`: what to do in an incident, in both languages: a page for each scenario and other alert."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeproof.cli.output import print_json, print_rows, print_table, say
from lakeproof.errors import InvalidInput
from lakeproof.incidents.person import person
from lakeproof.observability.runbook import Language, all_runbooks, find_runbook, own_runbooks
from lakeproof.stack.stack import load_stack
from lakeproof.unknown_name import unknown_name

if TYPE_CHECKING:
    from lakeproof.scenarios.catalog import Catalog


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The runbook: prose in both languages, a page for each incident.")
    group.command("show")(show)
    group.command("list")(list_pages)
    group.command("write")(write)
    group.command("review")(review)
    app.add_typer(group, name="runbook")


def show(
    name: Annotated[str, typer.Argument(help="a page, see `runbook list`")],
    lang: Annotated[str, typer.Option(help="vi or en")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """Print a page of the runbook, in Markdown. A scenario's has the prose, then what its data says."""
    from lakeproof.scenarios.pages import page

    if lang not in ("vi", "en"):
        raise InvalidInput(f"no language {lang!r}", where="--lang", next_action="vi or en")
    language: Language = "vi" if lang == "vi" else "en"
    catalog = _load()
    if name in catalog.scenarios:
        text = page(catalog.scenarios[name], catalog.causes, language).rstrip()
    elif name in own_runbooks():
        text = str(find_runbook(name, language)).rstrip()
    else:
        raise unknown_name("page", name, (*catalog.scenarios, *own_runbooks()))
    if as_json:
        scenario = name if name in catalog.scenarios else None
        print_json({"page": name, "scenario": scenario, "lang": lang, "markdown": text})
    else:
        print(text)


def write(to: Annotated[Path, typer.Option(help="the folder for ID.LANGUAGE.md")] = Path("docs/runbook")) -> None:
    """Write every page and the front page in both languages, as the repository keeps them."""
    from lakeproof.incidents.checklist import ITEMS
    from lakeproof.scenarios.front_page import write_front_page
    from lakeproof.scenarios.pages import write_pages

    catalog = _load()
    scenarios = list(catalog.scenarios.values())
    checklist: list[dict[Language, str]] = [{"vi": item.vi, "en": item.en} for item in ITEMS]
    for path in (*write_pages(scenarios, catalog.causes, to), *write_front_page(scenarios, checklist, to)):
        say(str(path))


def review(
    done: Annotated[str | None, typer.Option("--done", help="keep that this page was reviewed now")] = None,
    text: Annotated[str, typer.Option("--text", "-m", help="with --done: what was changed, if anything")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """What is due for the quarterly review: pages that nobody read this quarter or since their last major incident,
    scenarios that were never drilled, alerts that never fired.

    From the desk's incidents and reviews, and the drill reports under this stack's state folder.
    """
    from lakeproof.incidents.client import DeskClient
    from lakeproof.incidents.drill_cards import DrillCards
    from lakeproof.incidents.runbook_review import review_of
    from lakeproof.observability.rules import find_rules, own_alerts

    stack = load_stack()
    folders = tuple(stack.settings.scenario_dirs)
    scenarios = _load().scenarios
    desk = DeskClient(stack)
    if done is not None:
        pages = (*scenarios, *own_runbooks())
        if done not in pages:
            raise unknown_name("page", done, pages, where="--done")
        made = desk.review_page(done, who=person(), text=text)
        print_json(made) if as_json else say(f"{done}: reviewed by {made['who']}")
        return
    rules = [rule for file in find_rules(folders) for rule in file.alerts]
    further = {page: [rule.alert for rule in linked] for page, linked in own_alerts(rules).items()}
    drills, now = DrillCards(stack.reports_dir).all(), datetime.now(UTC)
    found = review_of(list(scenarios), [rule.alert for rule in rules], drills, desk.history(), now, further)
    if as_json:
        print_json(asdict(found))
        return
    print_table(
        ("Page", "Due", "Last review", "Last drill", "Verdict", "Last major incident"),
        [
            (each.page, "yes" if each.due else "no", each.reviewed, each.drilled, each.verdict, each.incident)
            for each in found.pages
        ],
    )
    say(f"quarter {found.quarter}: {sum(each.due for each in found.pages)} of {len(found.pages)} pages are due")
    say(f"never drilled here: {', '.join(found.never_drilled) or 'none'}")
    say(f"never fired, as far as the desk and the reports know: {', '.join(found.never_fired) or 'none'}")


def _load() -> "Catalog":
    """All scenarios, checked as `drill` checks them: a scenario that a drill refuses has no page either."""
    from lakeproof.scenarios.catalog import load_catalog

    return load_catalog(tuple(load_stack().settings.scenario_dirs))


def _told_team(label: str) -> str:
    """The team in an alert's label; "by alert" where the label is a template that each alert fills in."""
    return "by alert" if "{{" in label else label


def list_pages(as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False) -> None:
    """Every scenario with its titles, severity, team, alerts, and the other causes that a drill can play. Behind them
    the pages of alerts that belong to no scenario, which no drill plays.
    """
    from lakeproof.observability.rules import find_rules, own_alerts
    from lakeproof.scenarios.pages import LANGUAGES

    scenarios = _load().scenarios.values()
    told: list[dict[str, Any]] = [
        {
            "scenario": each.id,
            "page": each.id,
            "titles": dict(each.titles),
            "severity": each.severity,
            "team": each.team,
            "alerts": list(each.owned_alerts),
            "other_causes": list(each.others),
        }
        for each in scenarios
    ]
    titles = {language: dict(all_runbooks((), language)) for language in LANGUAGES}
    rules = [rule for file in find_rules() for rule in file.alerts]
    for name, linked in own_alerts(rules).items():
        told.append(
            {
                "scenario": None,
                "page": name,
                "titles": {language: titles[language][name] for language in LANGUAGES},
                "severity": " ".join(dict.fromkeys(rule.labels.severity for rule in linked)),
                "team": " ".join(dict.fromkeys(_told_team(rule.labels.team) for rule in linked)),
                "alerts": [rule.alert for rule in linked],
                "other_causes": [],
            }
        )
    print_rows(
        as_json,
        told,
        ("Page", "Severity", "Team", "Alerts", "Other causes", "Title"),
        (
            (
                *(one["page"], one["severity"], one["team"]),
                *(" ".join(one["alerts"]), " ".join(one["other_causes"]), one["titles"]["en"]),
            )
            for one in told
        ),
    )
