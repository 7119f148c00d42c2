"""`lakeproof runbook`: what to do in an incident: prose in both languages, one page per scenario."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_json, print_rows, print_table, say
from lakeproof.errors import InvalidInput
from lakeproof.incidents.person import person
from lakeproof.stack.stack import load_stack
from lakeproof.unknown_name import unknown_name

if TYPE_CHECKING:
    from lakeproof.scenarios.catalog import Catalog


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The runbook: prose in both languages, one page per scenario.")
    group.command("show")(show)
    group.command("list")(list_pages)
    group.command("write")(write)
    group.command("review")(review)
    app.add_typer(group, name="runbook")


def show(
    name: Annotated[str, typer.Argument(help="a scenario, see `runbook list`")],
    lang: Annotated[str, typer.Option(help="vi or en")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """Print a scenario's page of the runbook, in Markdown: the prose, then what its data says."""
    from lakeproof.scenarios.pages import page

    if lang not in ("vi", "en"):
        raise InvalidInput(f"no language {lang!r}", where="--lang", next_action="vi or en")
    catalog = _load()
    text = page(catalog.scenario(name), catalog.causes, "vi" if lang == "vi" else "en").rstrip()
    if as_json:
        print_json({"scenario": name, "lang": lang, "markdown": text})
    else:
        print(text)


def write(to: Annotated[Path, typer.Option(help="the folder for ID.LANGUAGE.md")] = Path("docs/runbook")) -> None:
    """Write every page in both languages, as the repository keeps them."""
    from lakeproof.scenarios.pages import write_pages

    catalog = _load()
    for path in write_pages(list(catalog.scenarios.values()), catalog.causes, to):
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
    from lakeproof.observability.rules import find_rules

    stack = load_stack()
    folders = tuple(stack.settings.scenario_dirs)
    scenarios = _load().scenarios
    desk = DeskClient(stack)
    if done is not None:
        if done not in scenarios:
            raise unknown_name("scenario", done, scenarios, where="--done")
        made = desk.review_page(done, who=person(), text=text)
        print_json(made) if as_json else say(f"{done}: reviewed by {made['who']}")
        return
    alerts = [rule.alert for file in find_rules(folders) for rule in file.alerts]
    found = review_of(list(scenarios), alerts, DrillCards(stack.reports_dir).all(), desk.history(), datetime.now(UTC))
    if as_json:
        print_json(found.as_json())
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
    """All scenarios, checked as `drill` checks them: what a drill refuses has no page either."""
    from lakeproof.scenarios.catalog import load_catalog

    return load_catalog(tuple(load_stack().settings.scenario_dirs))


def list_pages(as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False) -> None:
    """Every scenario with its titles, severity, team, alerts, and the other causes that a drill can play."""
    scenarios = _load().scenarios.values()
    told = [
        {
            "scenario": each.id,
            "titles": dict(each.titles),
            "severity": each.severity,
            "team": each.team,
            "alerts": list(each.owned_alerts),
            "other_causes": list(each.others),
        }
        for each in scenarios
    ]
    print_rows(
        as_json,
        told,
        ("Scenario", "Severity", "Team", "Alerts", "Other causes", "Title"),
        (
            (one.id, one.severity, one.team, " ".join(one.owned_alerts), " ".join(one.others), one.titles["en"])
            for one in scenarios
        ),
    )
