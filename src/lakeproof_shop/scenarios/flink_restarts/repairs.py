"""Repairs of the scenario flink-restarts."""

from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.lake.capture.columns import look
from lakeproof.lake.job import ensure_submitted
from lakeproof.lake.job.unreadable import finish_pass, pass_unreadable
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.flink import NO_EXCEPTION, refused_value
from lakeproof.stack.stack import Stack

SECONDS = 10.0


class PassUnreadableValue(OfDatabase, Mitigation):
    """Have the job read past a value that its types refuse."""

    def typed(self, stack: Stack) -> str:
        """By hand: the changed file is deployed, then the file as it was."""
        try:
            column = refused_column(stack, self)
        except (LakeproofError, OSError):
            column = None
        name = ".".join(column) if column else "the column that the job's exception names"
        return (
            f"in lake/jobs/{self.database}, declare {name} as STRING and TRY_CAST it in the INSERT; lakeproof lake "
            f"redeploy --database {self.database}; once main is fresh, the file as it was, and redeploy again"
        )

    def run(self, stack: Stack) -> str:
        """Do nothing where the job names no such column, except to finish a pass that was cut off. Raises: as
        pass_unreadable; InvalidInput while the database's column still has a type that the lake does not read.
        """
        source = self.source
        column = refused_column(stack, self)
        if column is None:
            cut_off = finish_pass(stack, source)
            if cut_off is None:
                return f"{source.job} refuses no value"
            return (
                f"{source.job} read {cut_off} as text since an earlier call was cut off, and reads as declared again"
            )
        wide = [each for each in look(stack, source).unreadable if each.column == column[1]]
        if wide:
            raise InvalidInput(
                f"the database's column has still another type than the lake reads: {wide[0]}",
                where=".".join(column),
                next_action="run restore_column_type first (or declare the type in lake/jobs)",
            )
        pass_unreadable(stack, source, *column)
        passed = f"the value of {'.'.join(column)} that it could not read"
        return f"{source.job} is past {passed}, and reads as declared again"


def refused_column(stack: Stack, arguments: OfDatabase) -> tuple[str, str] | None:
    """Table and column that the job's newest failure names; None where it names none."""
    seen = refused_value(stack, SECONDS, arguments.source)
    if seen is None or seen == NO_EXCEPTION:
        return None
    table, _, column = str(seen).partition(":")[0].rpartition(".")
    return table, column


class ResubmitJob(OfDatabase, Mitigation):
    """Submit the lake's job from its newest complete checkpoint."""

    def typed(self, stack: Stack) -> str:
        """The same by hand. A look comes first: a redeployment would stop and restart a job that is there."""
        name = self.source.job
        return (
            f"curl -s {stack.url('flink-jobmanager')}/jobs/overview; only where no {name} is alive there: "
            f"lakeproof lake redeploy --database {self.database}"
        )

    def run(self, stack: Stack) -> str:
        """Submit the job where there is none. A job that waits for a TaskManager is there, and the answer says so."""
        database = self.source
        return f"the lake's job {database.job} {ensure_submitted(stack, database)}"
