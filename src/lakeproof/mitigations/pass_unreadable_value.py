"""Get the lake's job past a record whose value its types refuse: read that column as text once, then as declared."""

from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.lake.capture.columns import look
from lakeproof.lake.job.unreadable import finish_pass, pass_unreadable
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.flink import NO_EXCEPTION, refused_value
from lakeproof.stack.stack import Stack

SECONDS = 10.0


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """By hand: the changed file is deployed, then the file as it was."""
    try:
        column = refused_column(stack, arguments)
    except (LakeproofError, OSError):
        column = None
    name = ".".join(column) if column else "the column that the job's exception names"
    return (
        f"in lake/jobs/{arguments.database}, declare {name} as STRING and TRY_CAST it in the INSERT; lakeproof lake "
        f"redeploy --database {arguments.database}; once main is fresh, the file as it was, and redeploy again"
    )


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Do nothing where the job names no such column, except to finish a pass that was cut off. Raises: as
    pass_unreadable; InvalidInput while the database's column still has a type that the lake does not read.
    """
    source = arguments.source
    column = refused_column(stack, arguments)
    if column is None:
        cut_off = finish_pass(stack, source)
        if cut_off is None:
            return f"{source.job} refuses no value"
        return f"{source.job} read {cut_off} as text since an earlier call was cut off, and reads as declared again"
    wide = [each for each in look(stack, source).unreadable if each.column == column[1]]
    if wide:
        raise InvalidInput(
            f"the database's column has still another type than the lake reads: {wide[0]}",
            where=".".join(column),
            next_action="run restore_column_type first (or declare the type in lake/jobs)",
        )
    pass_unreadable(stack, source, *column)
    return f"{source.job} is past the value of {'.'.join(column)} that it could not read, and reads as declared again"


def refused_column(stack: Stack, arguments: OfDatabase) -> tuple[str, str] | None:
    """Table and column that the job's newest failure names; None where it names none."""
    seen = refused_value(stack, SECONDS, arguments.source)
    if seen is None or seen == NO_EXCEPTION:
        return None
    table, _, column = str(seen).partition(":")[0].rpartition(".")
    return table, column


MITIGATION = Mitigation(
    "pass_unreadable_value", "have the job read past a value that its types refuse", typed, run, OfDatabase
)
