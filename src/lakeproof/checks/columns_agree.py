"""The captured tables have the columns that the job's SQL declares, of types that it can read, and no others."""

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.capture.columns import look
from lakeproof.lake.job.unreadable import reads_as_text
from lakeproof.lake.sources.source import OLTP, SourceName, find_source

CLAIM = "database and lake agree on the columns"


class ColumnsAgree(Arguments):
    """`database`: oltp or shop."""

    database: SourceName = OLTP.name


def baseline(context: CheckContext, arguments: ColumnsAgree) -> Baseline:
    """They agree before the fault."""
    return Baseline(_judge(context, arguments))


def verify(context: CheckContext, arguments: ColumnsAgree, before: Baseline) -> Verdict:
    """They agree again."""
    return _judge(context, arguments)


def _judge(context: CheckContext, arguments: ColumnsAgree) -> Verdict:
    found = look(context.stack, find_source(arguments.database))
    numbers = {"unexpected": float(len(found.unexpected)), "unreadable": float(len(found.unreadable))}
    problems = [f"{each} is not declared" for each in found.unexpected]
    problems += [
        f"{each} is {each.kind or 'gone'}, the lake's SQL wants {each.declared}" for each in found.unreadable
    ]
    if (text := reads_as_text(context.stack, find_source(arguments.database))) is not None:
        problems.append(f"the job reads {text} as text, since a repair was cut off")
    if problems:
        return Verdict(CLAIM, Outcome.FAILED, "; ".join(problems), numbers)
    return Verdict(CLAIM, Outcome.PASSED, f"all columns of {arguments.database} are as declared", numbers)


CHECK = Check("columns_agree", CLAIM, baseline, verify, ColumnsAgree, watched=True)
