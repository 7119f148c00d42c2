"""`lakeproof incident`: the incident desk: list, take on, note, resolve, review."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeproof.checks.verdict import Outcome
from lakeproof.cli.incident_name import IncidentName
from lakeproof.cli.output import print_json, print_rows, print_table, say
from lakeproof.cli.slowly import Slowly
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError
from lakeproof.incidents.person import person
from lakeproof.incidents.status import Status
from lakeproof.stack.stack import load_stack


class Severity(StrEnum):
    """How bad the incident is."""

    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


Json = Annotated[bool, typer.Option("--json", help="JSON for scripts")]
Who = Annotated[str, typer.Option(help="who does it; default: $LAKEPROOF_USER or your login", default_factory=person)]


def _new_key() -> str:
    from lakeproof.incidents.client import new_key

    return new_key()


Key = Annotated[
    str,
    typer.Option(
        "--key",
        help="names this call: the same again with the same key writes nothing twice; default: a new one",
        default_factory=_new_key,
        show_default=False,
    ),
]
Text = Annotated[str, typer.Option("--text", "-m", help="what to say about it in the timeline")]


def _client() -> Any:
    from lakeproof.incidents.client import DeskClient

    return DeskClient(load_stack())


def _told(incident: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(incident)
    else:
        print(f"{incident['id']} is {incident['status']}, owner {incident['owner'] or 'nobody'}")


def add_to(app: typer.Typer) -> None:
    """Add `incident`."""
    group = typer.Typer(no_args_is_help=True, help="The incident desk: list, take on, note, resolve, review.")
    group.command("list")(show_list)
    group.command("show")(show)
    group.command("export")(export)
    group.command("open")(open_one)
    _add_move(group, "ack", "Take the incident on; whoever is first owns it.")
    group.command("note")(note)
    group.command("attach")(attach)
    _add_move(group, "mitigate", "The repair begins (step 3 of the runbook).")
    _add_move(
        group,
        "verify",
        "The repair is done; service and data are now looked at (step 4). Happens by itself once the alerts clear"
        " after `mitigate`. While an alert fires, -m has to say why.",
    )
    _add_move(group, "resolve", "The incident is over. While an alert fires, -m has to say why.")
    _add_move(group, "review", "Close the incident. Its lesson has to be written and its checklist answered.")
    _add_move(group, "unmerge", "Make a merged incident one of its own again, with the alerts that came to it.")
    group.command("own")(own)
    group.command("merge")(merge)
    group.command("rca")(rca)
    group.command("lesson")(lesson)
    group.command("check")(check)
    group.command("cross-check")(cross_check)
    group.command("lessons")(lessons)
    app.add_typer(group, name="incident")


def show_list(
    status: Annotated[Status | None, typer.Option(help="only incidents with this status")] = None,
    limit: Annotated[int, typer.Option(min=1, help="at most this many incidents")] = 200,
    everything: Annotated[bool, typer.Option("--all", help="all incidents, however many there are")] = False,
    as_json: Json = False,
) -> None:
    """Incidents, newest first."""
    found, older = _client().newest(status.value if status else None, None if everything else limit)
    if older:
        say(f"{older} older ones are not shown: --all shows them too, --limit so many of the newest")
    keys = ("id", "status", "severity", "team", "service", "owner", "opened_at", "title")
    merged = ({"status": f"in {row['merged_into']}"} if row["merged_into"] else {} for row in found)
    shown = [row | instead for row, instead in zip(found, merged, strict=True)]
    columns = [key.replace("_at", "").capitalize() for key in keys]
    print_rows(as_json, found, columns, ([row[key] for key in keys] for row in shown))


def show(name: IncidentName, as_json: Json = False) -> None:
    """One incident with its timeline."""
    found = _client().incident(name)
    if as_json:
        print_json(found)
        return
    print(f"{found['id']}: {found['title']}")
    for key in ("status", "severity", "team", "owner", "service", "scenario", "metric", "value", "root_cause"):
        if found[key] not in ("", None):
            unit = f" {found['unit']}" if key == "value" and found.get("unit") else ""
            print(f"  {key.replace('_', ' ')}: {found[key]}{unit}")
    print(f"  use cases: {', '.join(found['use_cases']) or 'none recorded'}")
    for key, reading in (found["moment"] or {}).items():
        print(f"  {key}: {reading['value'] if not reading['error'] else 'could not look: ' + reading['error']}")
    step = found["step"]
    print(f"  step: {step['number']} of 5, {step['en']}; ends once {step['ends_en']}" if step else "  step: closed")
    print_table(
        ["Checklist", "State", "Who", "Found"],
        ([line["item"], line["state"], line["who"], line["text"]] for line in found["checklist"]),
    )
    print_table(["When", "Who", "What"], ([entry["at"], entry["who"], entry["what"]] for entry in found["timeline"]))


def export(
    name: IncidentName, to: Annotated[Path | None, typer.Option(help="a file; default: stdout")] = None
) -> None:
    """Everything about one incident as JSON, the RCA too."""
    found = _client().incident(name)
    if to is None:
        print_json(found)
        return
    # Written directly, not through a file that is renamed to it: a person may have named a device.
    to.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def open_one(
    title: Annotated[str, typer.Argument(help="what is wrong, in a sentence")],
    who: Who,
    key: Key,
    severity: Annotated[Severity, typer.Option()] = Severity.WARNING,
    service: Annotated[str, typer.Option(help="the component concerned")] = "",
    team: Annotated[str, typer.Option(help="the team that owns it")] = "data-platform",
    scenario: Annotated[str, typer.Option(help="the scenario it looks like")] = "none",
    as_json: Json = False,
) -> None:
    """Open an incident by hand."""
    made = _client().open(
        title=title, who=who, severity=severity.value, service=service, team=team, scenario=scenario, key=key
    )
    _told(made, as_json)


def _add_move(group: typer.Typer, command: str, says: str) -> None:
    def move(name: IncidentName, who: Who, key: Key, text: Text = "", as_json: Json = False) -> None:
        _told(_client().change(name, command, who=who, text=text, key=key), as_json)

    group.command(command, help=says)(move)


def note(
    name: IncidentName,
    text: Annotated[str, typer.Argument(help="the line")],
    who: Who,
    key: Key,
    kind: Annotated[str, typer.Option(help="note, diagnosis, action, verification")] = "note",
    as_json: Json = False,
) -> None:
    """Add a line to the timeline."""
    _told(_client().change(name, "note", who=who, kind=kind, text=text, key=key), as_json)


def attach(
    name: IncidentName,
    document: Annotated[str, typer.Argument(help="a file of JSON, up to 1 MiB, as a probe prints; - for stdin")],
    who: Who,
    key: Key,
    title: Annotated[str, typer.Option(help="what it is; default: the file's name")] = "",
    kind: Annotated[str, typer.Option(help="probe, diagnosis, action, verification")] = "probe",
    text: Text = "",
    as_json: Json = False,
) -> None:
    """Attach a document, with a line in the timeline."""
    try:
        body = json.loads(sys.stdin.read() if document == "-" else Path(document).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"no JSON: {error}", where=document, next_action="name a file of JSON, or -") from error
    known = title or ("stdin" if document == "-" else Path(document).name)
    _told(_client().change(name, "evidence", who=who, kind=kind, title=known, body=body, text=text, key=key), as_json)


def own(
    name: IncidentName,
    owner: Annotated[str, typer.Argument(help="who owns the incident from now on")],
    who: Who,
    text: Text = "",
    as_json: Json = False,
) -> None:
    """Hand the incident over to another owner."""
    _told(_client().change(name, "own", owner=owner, who=who, text=text), as_json)


def merge(
    name: IncidentName,
    into: Annotated[str, typer.Argument(help="the incident of the same trouble, e.g. INC-000012")],
    who: Who,
    text: Text = "",
    as_json: Json = False,
) -> None:
    """Make the incident, with its alerts, a part of another one."""
    _told(_client().change(name, "merge", into=into, who=who, text=text), as_json)


def rca(
    name: IncidentName,
    who: Who,
    root_cause: Annotated[str, typer.Option(help="the cause, in a sentence")] = "",
    from_file: Annotated[Path | None, typer.Option(help="keep this Markdown instead of a draft")] = None,
    as_json: Json = False,
) -> None:
    """Draft the RCA from the records, keep it, print it."""
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


def lesson(
    name: IncidentName,
    text: Annotated[str, typer.Argument(help="what will be done so that it does not happen again")],
    who: Who,
    as_json: Json = False,
) -> None:
    """Write its Lesson Learned, without which it cannot be closed."""
    _told(_client().change(name, "lesson", who=who, text=text), as_json)


def check(
    name: IncidentName,
    item: Annotated[str, typer.Argument(help="an item of the checklist, see `incident show`")],
    who: Who,
    text: Text = "",
    waive: Annotated[bool, typer.Option("--waive", help="it does not matter here; -m has to say why")] = False,
    as_json: Json = False,
) -> None:
    """Answer an item of its checklist."""
    state = "waived" if waive else "done"
    _told(_client().change(name, "checklist", item=item, state=state, who=who, text=text), as_json)


def cross_check(name: IncidentName, who: Who, as_json: Json = False) -> None:
    """Compare what the shop acknowledged with its databases and the lake, and attach what was found.

    As `lakeproof check` does it; exit 0 passed, 1 failed, 3 unknown, or where the desk did not take what was
    found: then it is printed as JSON in any case. The desk is waited for, up to a minute.
    """
    from lakeproof.incidents.client import PATIENCE_SECONDS, new_key, until_kept
    from lakeproof.proof.checking import check as run_check

    _client().incident(name)  # so that a wrong name is refused before the long comparison
    report = run_check(load_stack(), progress=Slowly(say))
    body = report.as_json()
    text = f"cross-check {report.outcome}: {report.acknowledged} acknowledged calls on {report.orders} orders"
    if as_json:
        print_json(body)
    say(text)
    evidence = {"who": who, "kind": "cross_check", "title": "cross-check", "body": body, "text": text}
    key = new_key()
    try:
        until_kept(lambda: _client().change(name, "evidence", key=key, **evidence), say, PATIENCE_SECONDS)
    except LakeproofError as error:
        if not as_json:
            print_json(body)
        raise CouldNotLook(
            f"it is not attached: {error.what}",
            where=name,
            next_action="what was found is printed; once the desk answers: "
            f"lakeproof incident cross-check {name}, which compares again",
        ) from error
    if report.outcome != Outcome.PASSED:
        raise typer.Exit(1 if report.outcome == Outcome.FAILED else 3)


def lessons(scenario: Annotated[str, typer.Option(help="of one scenario alone")] = "", as_json: Json = False) -> None:
    """What was learnt, the newest 50."""
    found, keys = _client().lessons(scenario), ("incident", "scenario", "by", "lesson")
    print_rows(as_json, found, [key.capitalize() for key in keys], ([row[key] for key in keys] for row in found))
