"""`lakeproof fault`: break the stack by hand, and take it back."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_rows, say
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack, load_stack
from lakeproof.unknown_name import unknown_name

if TYPE_CHECKING:
    from lakeproof.faults.fault import Fault
    from lakeproof.faults.records import FaultRecord


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Break the stack on purpose, and take it back.")
    group.command("list")(list_faults)
    group.command("inject")(inject_fault)
    group.command("remove")(remove_fault)
    app.add_typer(group, name="fault")


def list_faults(as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False) -> None:
    """Every fault with its arguments, and since when it is on record as in the stack. Nothing is looked at: what was
    mended without `fault remove` is still on record."""
    from lakeproof.faults.records import recorded

    stack = load_stack()
    faults = _removable(stack)
    present = {name: [each for each in recorded(stack) if each.fault == name] for name in faults}
    print_rows(
        as_json,
        [_row(fault, present[fault.id]) for fault in faults.values()],
        ("Fault", "On record since", "Arguments", "What it does"),
        [
            (
                fault.id,
                "; ".join(_since(record) for record in present[fault.id]),
                " ".join(f"{name}={value}" for name, value in _arguments(fault, required="(required)").items()),
                fault.summary,
            )
            for fault in faults.values()
        ],
    )


def _removable(stack: Stack) -> "dict[str, type[Fault]]":
    """Every fault, and each wrong fix of a drill that is on record because it left something behind."""
    from lakeproof.faults.fault import all_faults
    from lakeproof.faults.records import recorded
    from lakeproof.wrong_fixes.wrong_step import all_wrong_steps, left_by

    folders = tuple(scenario_folders(tuple(stack.settings.scenario_dirs)).values())
    on_record = {record.fault for record in recorded(stack)}
    left = {name: each for name, each in left_by(all_wrong_steps(folders)).items() if name in on_record}
    return left | all_faults(folders)


def _since(record: "FaultRecord") -> str:
    told = record.seen if record.made else "may be: nobody saw it made, nor taken back"
    return f"{record.at} ({told})"


def _row(fault: "type[Fault]", present: "list[FaultRecord]") -> dict[str, object]:
    """A fault as JSON. `records` has one entry for each set of arguments; the other fields describe the first one."""
    record = present[0] if present else None
    return {
        "fault": fault.id,
        "summary": fault.summary,
        "arguments": _arguments(fault, required=None),
        "required": [name for name, field in fault.model_fields.items() if field.is_required()],
        "injected_at": record.at if record else None,
        "by": record.by if record else None,
        "made": record.made if record else None,
        "records": [
            {"arguments": each.args, "injected_at": each.at, "by": each.by, "made": each.made, "seen": each.seen}
            for each in present
        ],
    }


def _arguments(fault: "type[Fault]", *, required: str | None) -> dict[str, object]:
    """The fault's arguments with their defaults. `required`: the value of an argument that has no default."""
    return {name: required if field.is_required() else field.default for name, field in fault.model_fields.items()}


def inject_fault(
    name: Annotated[str, typer.Argument(help="a fault, see `fault list`; - and _ are the same")],
    arg: Annotated[list[str] | None, typer.Option(help="an argument, NAME=VALUE; may be repeated")] = None,
) -> None:
    """Break the stack. The fault is recorded first, so that it can be removed whatever happens."""
    from lakeproof.arguments import parse_pairs
    from lakeproof.faults import records
    from lakeproof.faults.fault import all_faults

    stack = load_stack()
    faults = all_faults(tuple(scenario_folders(tuple(stack.settings.scenario_dirs)).values()))
    record = records.inject(stack, _find(faults, name), parse_pairs(arg or []), by="hand")
    say(f"{record.fault} is in the stack ({record.seen}); lakeproof fault remove {record.fault} takes it out")


def remove_fault(
    name: Annotated[str | None, typer.Argument(help="a fault")] = None,
    every: Annotated[bool, typer.Option("--all", help="every fault on record")] = False,
    arg: Annotated[list[str] | None, typer.Option(help="an argument, NAME=VALUE: only the fault with it")] = None,
) -> None:
    """Take a fault out again; safe to repeat, also after a drill that was killed. What its wrong fix left, too.

    Without --arg, every one of that name which is on record. With --all, one that cannot be taken out keeps no other
    in; the error tells the first such one.
    """
    from lakeproof.arguments import parse_pairs
    from lakeproof.faults import records

    if (name is None) != every:
        raise InvalidInput("give a fault's name, or --all", next_action="lakeproof fault list")
    stack = load_stack()
    faults = _removable(stack)
    wanted = [name] if name is not None else list(dict.fromkeys(each.fault for each in records.newest_first(stack)))
    if not wanted:
        say("no fault is on record")
    errors: list[LakeproofError] = []
    for each in wanted:
        try:
            out = records.remove(stack, _find(faults, each), parse_pairs(arg or []))
            say(f"{each} is out" if out else f"no {each} is on record")
        except LakeproofError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _find[T](faults: dict[str, T], name: str) -> T:
    identifier = name.replace("-", "_")
    if identifier not in faults:
        raise unknown_name("fault", name, faults)
    return faults[identifier]
