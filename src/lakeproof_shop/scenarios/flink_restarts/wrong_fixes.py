"""Steps that look like a repair of flink-restarts, and are none."""

from lakeproof.errors import InvalidInput
from lakeproof.lake.job.unreadable import finish_pass, pass_unreadable
from lakeproof.lake.of_database import OfDatabase
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep
from lakeproof_shop.scenarios.flink_restarts.repairs import PassUnreadableValue, refused_column


class SkipUnreadableValue(OfDatabase, WrongStep):
    """Have the job read a value that it refuses as NULL (hides what is wrong).

    A wrong fix: have the job read the value that it refuses as nothing, and go on. The lake then lacks that value,
    the database still has it, and the next such value stops the job again.

    The right repair has the job read past the value in the same way, but only once the database row is right again.
    """

    def run(self, stack: Stack) -> str:
        """Have the job read the refused value as NULL. Raises: InvalidInput where there is none; as
        `pass_unreadable`.
        """
        column = refused_column(stack, self)
        if column is None:
            raise InvalidInput("it refuses no value", where=self.source.job, next_action="lakeproof diagnose")
        pass_unreadable(stack, self.source, *column)
        return f"{self.source.job} has read a value of {'.'.join(column)} as NULL"

    def undo(self, stack: Stack) -> None:
        """Have the job read as declared again, where `run` was interrupted. Removing the fault corrects the row."""
        finish_pass(stack, self.source)

    def typed(self, stack: Stack) -> str:
        """As the repair that keeps the value."""
        return PassUnreadableValue(database=self.database).typed(stack)
