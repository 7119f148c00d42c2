"""`lakeproof runbook`: what to do in an incident, in words."""

from typing import Annotated

import typer

from lakeproof.cli.output import print_json, print_table
from lakeproof.errors import InvalidInput


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The runbook: prose in both languages, one page per scenario.")
    group.command("show")(show)
    group.command("list")(list_pages)
    app.add_typer(group, name="runbook")


def show(
    name: Annotated[str, typer.Argument(help="a scenario, see `runbook list`")],
    lang: Annotated[str, typer.Option(help="vi or en")] = "en",
) -> None:
    """Print a scenario's page of the runbook, in Markdown."""
    from lakeproof.scenarios.folder import scenario_folders
    from lakeproof.scenarios.scenario import read_scenario
    from lakeproof.stack.stack import load_stack

    if lang not in ("vi", "en"):
        raise InvalidInput(f"no language {lang!r}", where="--lang", next_action="vi or en")
    homes = scenario_folders(tuple(load_stack().settings.scenario_dirs))
    if name not in homes:
        raise InvalidInput(f"no scenario {name!r}", next_action=f"one of {', '.join(homes)}")
    print(read_scenario(homes[name]).runbook("vi" if lang == "vi" else "en").rstrip())


def list_pages(as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False) -> None:
    """Every scenario with its titles, severity, team and alerts."""
    from lakeproof.scenarios.folder import scenario_folders
    from lakeproof.scenarios.scenario import read_scenario
    from lakeproof.stack.stack import load_stack

    homes = scenario_folders(tuple(load_stack().settings.scenario_dirs))
    scenarios = [read_scenario(folder) for folder in homes.values()]
    if as_json:
        print_json(
            [
                {
                    "scenario": each.id,
                    "titles": dict(each.titles),
                    "severity": each.severity,
                    "team": each.team,
                    "alerts": list(each.alerts),
                }
                for each in scenarios
            ]
        )
        return
    print_table(
        ("Scenario", "Severity", "Team", "Alerts", "Title"),
        [(each.id, each.severity, each.team, " ".join(each.alerts), each.titles["en"]) for each in scenarios],
    )
