"""`lakeproof incident`: the incident desk: list, take on, note, resolve, review."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeproof.cli.incident_name import IncidentName


class Severity(StrEnum):
    """How bad it is."""

    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


class State(StrEnum):
    """As `--status` takes it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"


def _person() -> str:
    from lakeproof.incidents.person import person

    return person()


Json = Annotated[bool, typer.Option("--json", help="JSON for scripts")]
Who = Annotated[
    str, typer.Option(help="who does it; default: $LAKEPROOF_USER or your login", default_factory=_person)
]
Text = Annotated[str, typer.Option("--text", "-m", help="what to say about it in the timeline")]


def _client() -> Any:
    from lakeproof.incidents.client import DeskClient
    from lakeproof.stack.stack import load_stack

    return DeskClient(load_stack())


def _told(incident: dict[str, Any], as_json: bool) -> None:
    from lakeproof.cli.output import print_json

    if as_json:
        print_json(incident)
    else:
        print(f"{incident['id']} is {incident['status']}, owner {incident['owner'] or 'nobody'}")


def add_to(app: typer.Typer) -> None:
    """Add `incident`."""
    incident = typer.Typer(no_args_is_help=True, help="The incident desk: list, take on, note, resolve, review.")
    app.add_typer(incident, name="incident")
    _add_looks(incident)
    _add_changes(incident)


def _add_looks(incident: typer.Typer) -> None:
    @incident.command("list")
    def show_list(
        status: Annotated[State | None, typer.Option(help="only those")] = None, as_json: Json = False
    ) -> None:
        """Incidents, newest first."""
        from lakeproof.cli.output import print_json, print_table

        found = _client().incidents(status.value if status else None)
        if as_json:
            print_json(found)
            return
        keys = ("id", "status", "severity", "team", "service", "owner", "opened_at", "title")
        print_table(
            [key.replace("_at", "").capitalize() for key in keys], ([row[key] for key in keys] for row in found)
        )

    @incident.command("show")
    def show(name: IncidentName, as_json: Json = False) -> None:
        """One incident with its timeline."""
        from lakeproof.cli.output import print_json, print_table

        found = _client().incident(name)
        if as_json:
            print_json(found)
            return
        print(f"{found['id']}: {found['title']}")
        for key in ("status", "severity", "team", "owner", "service", "scenario", "metric", "value", "root_cause"):
            if found[key] not in ("", None):
                print(f"  {key.replace('_', ' ')}: {found[key]}")
        print(f"  use cases: {', '.join(found['use_cases']) or 'none recorded'}")
        for key, reading in (found["moment"] or {}).items():
            print(f"  {key}: {reading['value'] if not reading['error'] else 'could not look: ' + reading['error']}")
        print_table(
            ["When", "Who", "What"], ([entry["at"], entry["who"], entry["what"]] for entry in found["timeline"])
        )

    @incident.command("export")
    def export(
        name: IncidentName, to: Annotated[Path | None, typer.Option(help="a file; default: stdout")] = None
    ) -> None:
        """Everything about one incident as JSON, the RCA too."""
        import json

        from lakeproof.cli.output import print_json
        from lakeproof.errors import TerminalError

        found = _client().incident(name)
        if to is None:
            print_json(found)
            return
        try:
            to.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise TerminalError(str(error), where=str(to), next_action="name another file") from error


def _add_changes(incident: typer.Typer) -> None:
    @incident.command("open")
    def open_one(
        title: Annotated[str, typer.Argument(help="what is wrong, in a sentence")],
        who: Who,
        severity: Annotated[Severity, typer.Option()] = Severity.WARNING,
        service: Annotated[str, typer.Option(help="the component concerned")] = "",
        team: Annotated[str, typer.Option(help="whose it is")] = "data-platform",
        scenario: Annotated[str, typer.Option(help="the scenario it looks like")] = "none",
        as_json: Json = False,
    ) -> None:
        """Open an incident by hand."""
        made = _client().open(
            title=title, who=who, severity=severity.value, service=service, team=team, scenario=scenario
        )
        _told(made, as_json)

    @incident.command("ack")
    def ack(name: IncidentName, who: Who, text: Text = "", as_json: Json = False) -> None:
        """Take it on; whoever is first owns it."""
        _told(_client().change(name, "ack", who=who, text=text), as_json)

    @incident.command("note")
    def note(
        name: IncidentName, text: Annotated[str, typer.Argument(help="the line")], who: Who, as_json: Json = False
    ) -> None:
        """Add a line to the timeline."""
        _told(_client().change(name, "note", who=who, text=text), as_json)

    @incident.command("resolve")
    def resolve(name: IncidentName, who: Who, text: Text = "", as_json: Json = False) -> None:
        """It is over: repaired and checked."""
        _told(_client().change(name, "resolve", who=who, text=text), as_json)

    @incident.command("review")
    def review(name: IncidentName, who: Who, text: Text = "", as_json: Json = False) -> None:
        """Its RCA was read and agreed."""
        _told(_client().change(name, "review", who=who, text=text), as_json)

    @incident.command("rca")
    def rca(
        name: IncidentName,
        who: Who,
        root_cause: Annotated[str, typer.Option(help="the cause, in a sentence")] = "",
        from_file: Annotated[Path | None, typer.Option(help="keep this Markdown instead of a draft")] = None,
        as_json: Json = False,
    ) -> None:
        """Draft the RCA from the records, keep it, print it."""
        from lakeproof.cli.output import print_json
        from lakeproof.errors import InvalidInput

        fields = {"who": who, "root_cause": root_cause}
        if from_file is not None:
            try:
                fields["markdown"] = from_file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidInput(str(error), where=str(from_file), next_action="name a Markdown file") from error
        markdown = _client().write_rca(name, **fields)
        if as_json:
            print_json({"incident": name, "markdown": markdown})
        else:
            print(markdown, end="")
