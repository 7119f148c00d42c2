"""`lakeproof lake`: published data: its history on Nessie, branches and tags, and the lake's job."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeproof.cli.evolve import evolve
from lakeproof.cli.output import print_json, print_rows, print_table, say
from lakeproof.cli.requiring import require_healthy
from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import Stack, load_stack
from lakeproof.telling import Telling

if TYPE_CHECKING:
    from lakeproof.lake.sources.source import Source

MERGE_NEEDS = ("nessie", "minio")
REDEPLOY_NEEDS = ("flink-jobmanager", "minio")
PUBLISH_NEEDS = ("flink-jobmanager", "nessie", "publisher")
JsonOption = Annotated[bool, typer.Option("--json", help="data for scripts on stdout")]


def add_to(app: typer.Typer) -> None:
    """Bring the command group `lake`."""
    group = typer.Typer(
        no_args_is_help=True, help="Published data: its history on Nessie, branches, tags, the lake's job."
    )
    group.command("log")(log)
    group.command("show")(show)
    group.command("publish")(publish)
    group.command("tag")(tag)
    group.command("branch")(branch)
    group.command("merge")(merge)
    group.command("rollback")(rollback)
    group.command("redeploy")(redeploy)
    group.command("evolve")(evolve)
    app.add_typer(group, name="lake")


def log(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="so many, newest first")] = 20,
    as_json: JsonOption = False,
) -> None:
    """The published states on `main`, newest first: hash, checkpoint, newest transaction, how long it can be read.

    With --json the snapshots of each table too.
    """
    from lakeproof.lake.publish import history

    found = history.log(load_stack(), limit)
    if as_json:
        print_json([commit.as_json() for commit in found])
        return
    if not found:
        say("nothing was published yet")
        return
    print_table(
        ("HASH", "AT (UTC)", "CHECKPOINT", "GTID", "READABLE"),
        (
            (
                commit.hash[:16],
                f"{commit.at:%Y-%m-%d %H:%M:%S}",
                commit.plain.checkpoint,
                commit.plain.gtid,
                f"until {commit.readable_until:%H:%M:%S}" if commit.is_readable() else "expired",
            )
            for commit in found
        ),
    )


def show(
    hash: Annotated[str, typer.Argument(metavar="HASH", help="a hash or its first digits: `lakeproof lake log`")],
    as_json: JsonOption = False,
) -> None:
    """One published state: its tables' snapshots, the newest transaction and heartbeat in it, how long it is kept."""
    from lakeproof.lake.publish import history
    from lakeproof.lake.sources.source import find_source

    commit = history.find(load_stack(), hash)
    if as_json:
        print_json(commit.as_json())
        return
    lines = {
        "hash": commit.hash,
        "published": commit.at.isoformat(),
        "readable until": commit.readable_until.isoformat() + ("" if commit.is_readable() else " (expired)"),
    }
    for name, state in commit.states.items():
        source, beat_us = find_source(name), state.beat_us
        beat = "none yet" if beat_us is None else datetime.fromtimestamp(beat_us / 1e6, UTC).isoformat()
        told = {
            "checkpoint": str(state.checkpoint),
            "transactions up to": state.gtid or "none yet",
            "source's clock at least": beat,
        }
        lines |= {f"{source.prefix(': ')}{label}": value for label, value in told.items()}
        lines |= {f"snapshot of {source.prefix('.')}{table}": str(id_) for table, id_ in state.snapshots.items()}
    width = max(map(len, lines)) + 2  # computed, because a table's name may be long
    for label, value in lines.items():
        print(f"{label:<{width}}{value}")


def publish(
    database: Annotated[str, typer.Option(help="whose tables: oltp (MariaDB), shop (PostgreSQL)")] = "oltp",
    wait: Annotated[float, typer.Option(min=1, max=3600, help="seconds, at most")] = 60,
    as_json: JsonOption = False,
) -> None:
    """Publish what is committed now: ask the lake's job for a checkpoint, wait, and print the hash to read at.

    The hash holds every transaction that was committed before the command, by the database's clock, which must agree
    with this machine's. The lake publishes by itself every few seconds; this is for scripts that write and then read,
    and for a lake with rare checkpoints.

    Exit 1 where no published state holds it in time, or a component does not run.
    """
    from lakeproof.lake.publish.now import publish_now

    stack = load_stack()
    source = _captured(stack, database)
    require_healthy(stack, PUBLISH_NEEDS)
    commit = publish_now(stack, source, wait, say)
    if as_json:
        print_json(commit.as_json())
        return
    print(commit.hash)
    say(f"readable until {commit.readable_until:%H:%M:%S} UTC")


def tag(
    name: Annotated[str, typer.Argument(help="the tag's name: letters, digits, - and _")],
    hash: Annotated[str | None, typer.Argument(metavar="[HASH]", help="default: the newest published state")] = None,
    as_json: JsonOption = False,
) -> None:
    """Give a published state a name in Nessie, so that engines can read it by that name.

    A tag does not prolong how long the data files stay: see `readable until` in `lake show`.
    """
    from lakeproof.lake.publish.tags import create_reference

    commit = create_reference(load_stack(), name, hash)
    if as_json:
        told: dict[str, Any] = {"tag": name} | commit.as_json()
        print_json(told)
        return
    say(f"{name} → {commit.hash[:16]}, readable until {commit.readable_until:%H:%M:%S} UTC")


def branch(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="make this one; none: show all")] = None,
    hash: Annotated[str | None, typer.Argument(metavar="[HASH]", help="default: the newest published state")] = None,
    as_json: JsonOption = False,
) -> None:
    """The branches of Nessie and what each holds; or make one at a published state.

    `main` is what readers see. `ingest` is what the publisher has made ready. `backup` is the last state that a full
    audit found whole. A branch does not prolong how long the data files stay.
    """
    from lakeproof.lake.publish.commit import plain_of
    from lakeproof.lake.publish.main_branch import branches
    from lakeproof.lake.publish.tags import create_reference

    stack = load_stack()
    if name is not None:
        create_reference(stack, name, hash, kind="BRANCH")
    found = [
        {
            "branch": reference.name,
            "hash": reference.hash,
            "checkpoint": state.checkpoint if state is not None else None,
            "at": state.at.isoformat() if state is not None else None,
        }
        for reference, state in ((reference, plain_of(states)) for reference, states in branches(stack))
    ]
    print_rows(
        as_json,
        found,
        ("BRANCH", "HASH", "CHECKPOINT", "AT (UTC)"),
        ((str(one["branch"]), str(one["hash"])[:16], one["checkpoint"], one["at"] or "") for one in found),
    )


def merge(
    source: Annotated[str, typer.Option("--from", metavar="BRANCH", help="ingest or backup: see `lake branch`")],
    as_json: JsonOption = False,
) -> None:
    """Have `main` show what another branch holds, once an audit has seen that every file of it is there.

    All its tables, whatever somebody else has done to them on main. From ingest: main moves on. From backup: main
    shows the last state that a full audit found whole, and stays there until ingest is merged, or `lake rollback`.
    The job goes on meanwhile, and the files of that state stay only as long as those of any other hash: the command
    says until when.

    Exit 1 where the audit refuses the branch, or Nessie the merge; 2 where nothing was published; 3 where the object
    store does not answer.
    """
    from lakeproof.lake.publish import history
    from lakeproof.lake.publish.main_branch import BACKUP, bring_in

    stack = load_stack()
    require_healthy(stack, MERGE_NEEDS)
    head = bring_in(stack, source)
    until = history.find(stack, head).readable_until
    if as_json:
        print_json({"from": source, "hash": head, "readable_until": until.isoformat()})
        return
    say(f"main shows {source}, at {head[:16]}")
    if source == BACKUP:
        ways = "lakeproof lake merge --from ingest, or lakeproof lake rollback"
        say(f"its files stay until {until:%H:%M:%S} UTC; by then: {ways}")


def rollback(as_json: JsonOption = False) -> None:
    """Take back what others did to `main`: it begins again at the last state that the publisher put there.

    What main showed until then is kept as a tag. Nothing happens where nobody else wrote on main or moved it. While
    the publisher runs, no published hash leaves main's history. Where somebody pointed main back and the publisher
    has merged nothing since it was started, the newest merge alone may then be missing in `lake log`.

    Exit 1 where Nessie does not answer, the audit refuses, or main moves meanwhile; 2 where nothing was published; 3
    where the object store, or a publisher that runs, does not answer.
    """
    from lakeproof.lake.publish.main_branch import roll_back

    stack = load_stack()
    require_healthy(stack, MERGE_NEEDS[:1])
    done = roll_back(stack)
    if as_json:
        print_json({"hash": done.hash if done else None, "set_aside": done.set_aside if done else None})
        return
    if done is None:
        say("main is as it was published")
        return
    say(f"main begins again at {done.hash[:16]}; what it showed is kept as the tag {done.set_aside}")


def redeploy(
    allow_non_restored: Annotated[
        bool, typer.Option("--allow-non-restored", help="needed after a table's SQL file was taken away")
    ] = False,
    database: Annotated[str, typer.Option(help="whose job: oltp (MariaDB), shop (PostgreSQL)")] = "oltp",
    as_json: JsonOption = False,
) -> None:
    """Take over changed SQL files: stop the lake's job with a savepoint and start it from there. Nothing is lost.

    Wrong SQL is refused before the job is stopped. Usually within a minute.

    Exit 1 where Flink or the object store does not run, or refuses; also where the new job is accepted and does not
    run yet, as without a TaskManager.
    """
    from lakeproof.lake.job import redeploy as redeploy_job

    stack = load_stack()
    wanted = _captured(stack, database)
    require_healthy(stack, REDEPLOY_NEEDS)
    with Telling("lakeproof.lake.job", say, "planning the new job, then a savepoint of the old one"):
        job = redeploy_job(stack, wanted, allow_non_restored=allow_non_restored)
    if as_json:
        print_json({"job": job.id, "state": job.state})
    job.require_running(wanted)
    if not as_json:
        say(f"the lake's job {job}")


def _captured(stack: Stack, database: str) -> "Source":
    """The source of that name. Raises: InvalidInput where the stack has no such database, or does not capture it."""
    from lakeproof.lake.sources.source import find_source, present

    wanted = find_source(database)
    if wanted not in present(stack):
        raise InvalidInput(
            "it is not captured in this stack: nobody would publish what the job writes",
            where=database,
            next_action="lakeproof up shop-capture",
        )
    return wanted
