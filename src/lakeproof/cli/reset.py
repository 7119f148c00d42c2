"""`lakeproof reset`: delete this stack's data, ledgers and reports: back to an empty stack (asks)."""

from collections.abc import Iterable
from typing import Annotated

import typer

from lakeproof.cli.asking import agreed
from lakeproof.cli.output import print_json, say
from lakeproof.cli.up import Progress
from lakeproof.errors import InvalidInput, LakeproofError, TerminalError
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack, load_stack


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="what was deleted, as JSON on stdout")] = False,
) -> None:
    """Stop the stack and delete its state folder: data, configuration, logs, ledgers, reports, incidents, passwords.

    It first says what it will delete and how big that is, and asks. What set-up installed stays, and so does what the
    settings put outside of the state folder (it says so). Faults on record are taken out first, as far as that can be
    done with the stack down. Safe to repeat, also after it was killed half-way.

    Refused (exit 2) while a drill runs, for somebody else's stack (mode external), for a folder that Lakeproof did
    not make, and without --yes where the answer is no or nobody is there to ask.
    """
    from lakeproof.drills.run import one_drill
    from lakeproof.processes.client import SupervisorClient
    from lakeproof.processes.reset import entries, kept, total_bytes
    from lakeproof.processes.reset import reset as delete

    stack = load_stack()
    found, stays = entries(stack), kept(stack)
    if found:
        with one_drill(stack):  # refuses while a drill runs
            say(f"stack {stack.name}: {total_bytes(found) / 1e6:.1f} MB will be deleted")
            for entry in found:
                say(f"  {entry.path}  {entry.size_bytes / 1e6:.1f} MB")
            _say_what_stays(stays)
            if not yes and not agreed("stop the stack and delete what is listed?", "reset"):
                raise InvalidInput("nobody is there to ask", where="reset", next_action="lakeproof reset --yes")
            client, progress = SupervisorClient(stack), Progress()
            client.down(progress)
            _take_faults_out(stack)
            delete(stack, client, progress)
            say(f"deleted; lakeproof up starts an empty stack{', but for what stays' if stays else ''}")
    else:
        say(f"stack {stack.name} is empty already")
        _say_what_stays(stays)
    if as_json:
        deleted = [{"path": str(entry.path), "bytes": entry.size_bytes} for entry in found]
        print_json({"stack": stack.name, "deleted": deleted, "bytes": total_bytes(found), "kept": list(stays)})


def _say_what_stays(stays: Iterable[str]) -> None:
    for place in stays:
        say(f"  stays: {place}")


def _take_faults_out(stack: Stack) -> None:
    """Take out the faults on record. A fault that made a folder unwritable would keep that folder from being deleted,
    and the reset deletes its record. A fault inside an engine cannot be taken out while the stack is down; it is
    deleted with the engine's data.

    Raises: TerminalError, before anything is deleted, where a fault cannot be taken out at all.
    """
    from lakeproof.faults import records
    from lakeproof.faults.fault import all_faults

    found = dict.fromkeys(record.fault for record in records.recorded(stack))
    faults = all_faults(tuple(scenario_folders(tuple(stack.settings.scenario_dirs)).values())) if found else {}
    for name in found:
        if name not in faults:
            say(f"fault {name} is not known here; it is deleted with the data")
            continue
        try:
            records.remove(stack, faults[name])
            say(f"fault {name} is out")
        except TerminalError:
            raise
        except LakeproofError as error:
            say(f"fault {name} is deleted with the data ({error.message})")
