"""The declared way to change a captured table: a new column comes into the lake with nothing lost (`lake evolve`).

The steps, in an order in which each may be the last one before a kill:
1. The lake's table gets the column, nullable (Paimon's ALTER TABLE ADD). The running job goes on without it.
2. The column is declared (job/added_columns.py). From then on every new job reads it, and the comparisons of the
   database's columns with the declared ones expect it.
3. The job stops with a savepoint and starts from it with the new SQL. What its operators keep (offsets, the raw
   events of open transactions, Paimon's commits) holds no row of a declared type: the new column changes none of it.
4. Values that were written before step 3 are NULL in the lake: the job leaves fields out that nobody declared. Where
   rows have such a value, or the lake's table had the column before, the connector reads the table's rows anew. It
   must not do so for an append-only table, for the lake would hold these rows twice: they keep NULL, and `lakeproof
   check` lists them as stale.

How far the column has come is kept before each step. A command that was cut off is finished by the next one.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from lakeproof.errors import NotReady
from lakeproof.held_file import hold
from lakeproof.lake.capture.backfill import read_existing_rows
from lakeproof.lake.capture.columns import look, require_none_missing
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.evolution import Evolution, find_table, plan, plan_undo
from lakeproof.lake.job import added_columns, submission
from lakeproof.lake.job.added_columns import AddedColumn, Stage, find_added, job_files, note
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)


def evolve(stack: Stack, table: str, column: str, sql_type: str | None = None) -> Evolution:
    """Do what `plan` says, each step told to the log; gives what was to be done. Safe to repeat.

    Raises: as `plan`; HeldByAnother where another such command is under way; NotReady where the new job
    is accepted and does not run yet; what the steps raise.
    """
    with _alone(stack, find_table(table)[0]):
        wanted = plan(stack, table, column, sql_type)
        source, steps = wanted.source, [step.name for step in wanted.steps]
        known = wanted.noted if wanted.noted is not None and wanted.noted.is_declared else None
        state = known or AddedColumn(wanted.file.source, column, wanted.kind, Stage.ADDING)
        state = replace(state, awaited=wanted.there is None, filled=wanted.noted is not None and wanted.noted.filled)
        if "declare" in steps:
            # Before the lake's table is touched: a job that is submitted meanwhile has to name the columns it writes.
            note(stack, source, state)
        for place, step in enumerate(wanted.steps, start=1):
            log.info("%d/%d %s: %s", place, len(steps), step.name, step.does)
            if step.name == "alter":
                _alter(stack, wanted)
            elif step.name == "declare":
                state = state.at(Stage.DECLARED)
            elif step.name == "redeploy":
                submitted = submission.redeploy(stack, source)
                submitted.require_running(source)
                state = replace(state.at(Stage.DEPLOYED), since=time.time())
                log.info("%s %s", source.job, submitted)
            elif step.name == "reread":
                _reread(stack, find_connector(source.connector), wanted, filled=state.filled)
                state = replace(state, filled=False)
            if step.name != "alter":
                note(stack, source, state)
        if state.at(Stage.DONE) != known:
            note(stack, source, state.at(Stage.DONE))
    return wanted


def _alter(stack: Stack, wanted: Evolution) -> None:
    files = job_files(stack, wanted.source)
    submission.plan(
        stack,
        wanted.source,
        tuple(
            file.adding(wanted.column, wanted.kind) if file.source == wanted.file.source else file for file in files
        ),
    )


def _reread(stack: Stack, connector: Connector, wanted: Evolution, *, filled: bool) -> None:
    """Have the rows read anew where one of them has a value in the column, in the database or in the lake (`filled`).
    They are read anew as well where the database is too busy to say so.

    Raises: as require_none_missing, for a column that was dropped since `plan`; the next run goes on here.
    """
    try:
        values = filled or wanted.source.module.values_in(stack, connector, wanted.file.source, wanted.column)
    except NotReady:
        values = True
    if values:
        require_none_missing(look(stack, wanted.source), [wanted.file.source])
        read_existing_rows(stack, connector, [wanted.file.source])
    else:
        log.info("no row of %s has a value yet", wanted.file.source)


def undo(stack: Stack, table: str, column: str) -> Evolution:
    """Do what `plan_undo` says. Safe to repeat. Raises: as `plan_undo`, `evolve` and `redeploy`."""
    with _alone(stack, find_table(table)[0]):
        wanted = plan_undo(stack, table, column)
        if wanted.steps and wanted.noted is not None:
            noted = replace(wanted.noted, filled=True)
            note(stack, wanted.source, noted.at(Stage.WITHDRAWING))
            for place, step in enumerate(wanted.steps, start=1):
                log.info("%d/%d %s: %s", place, len(wanted.steps), step.name, step.does)
            submission.redeploy(stack, wanted.source).require_running(wanted.source)
            note(stack, wanted.source, noted.at(Stage.WITHDRAWN))
    return wanted


def expect_absence(stack: Stack, source: Source, table: str, column: str) -> bool:
    """Note that an added column is about to leave the database on purpose, which is no drift. False, and nothing
    noted, where the column is not declared.
    """
    noted = find_added(stack, source, table, column)
    if noted is None or not noted.is_declared:
        return False
    note(stack, source, replace(noted, awaited=True, filled=True))
    return True


@contextmanager
def _alone(stack: Stack, source: Source) -> Iterator[None]:
    """One command at a time: of two that write the list of added columns, the later would undo the earlier one's
    change. Raises: HeldByAnother.
    """
    with hold(added_columns.path_of(stack, source).with_suffix(".lock"), f"process {os.getpid()} (lake evolve)"):
        yield
