"""`lakeproof check`: compare what the shop acknowledged with its databases and the lake, key by key."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from lakeproof.checks.verdict import Outcome
from lakeproof.cli.output import print_json, print_table, say
from lakeproof.cli.slowly import Slowly
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError
from lakeproof.stack.stack import load_stack

log = logging.getLogger(__name__)


class LakeEngine(StrEnum):
    """The values of `--engine`."""

    TRINO = "trino"
    FLINK = "flink"
    SPARK = "spark"


def check(
    at: Annotated[str | None, typer.Option(help="A published hash, or its beginning; default: the newest.")] = None,
    engine: Annotated[
        list[LakeEngine] | None,
        typer.Option(help="May be repeated; default: trino, and spark where it is up already, else flink."),
    ] = None,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait",
            help="Take the newest hash as it is; wait for none that covers now (for the projection it waits still).",
        ),
    ] = False,
    wait_seconds: Annotated[
        float, typer.Option(min=0, max=3600, help="How long to wait for a hash that covers now.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare what the shop acknowledged with MariaDB and with the lake, key by key, at one published hash.

    lost: acknowledged and absent. duplicated: two ids for one client key, or a second row of one event. stale: older
    than acknowledged. phantom: a key, version or content that no shopper asked for. May run under traffic.

    Exit 0 passed, 1 failed, 2 for a hash that is not there, 3 unknown (something could not be looked at).
    """
    from lakeproof.proof.checking import check as run_check
    from lakeproof.proof.report import KEYS_SHOWN

    with _unknown_where_it_broke_off():
        report = run_check(
            load_stack(),
            at_hash=at,
            cover_now=not no_wait,
            engines=[each.value for each in engine] if engine else None,
            cover_seconds=wait_seconds,
            progress=Slowly(say),
        )
    if as_json:
        print_json(report.as_json())
    else:
        columns = ("Table", "Engine", "Rows", "Lost", "Duplicated", "Stale", "Phantom", "Unsettled")
        rows = [[table.as_json()[column.lower()] for column in columns] for table in report.tables]
        print_table(columns, rows)
        for claim in report.across:
            say(claim.in_words)
            for key in claim.keys[:KEYS_SHOWN]:
                say(f"  {key}")
        for table in report.tables:
            for finding in table.findings[:KEYS_SHOWN]:
                say(f"{table.engine}.{table.table} {finding.wrong}: {finding.key}: {finding.detail}")
        if report.not_ours:
            say(
                f"not judged: {report.not_ours} orders that this stack's ledger never saw, so they are not ours "
                "(shop.ledger_covers = all would call them phantom)"
            )
        for left_out in report.left_out:
            say(f"not judged: {left_out}")
        for reason in report.reasons:
            say(f"not known: {reason}")
        say(report.cut.in_words if report.cut else "cut: no published hash was looked at")
        say(
            f"{report.outcome}: {report.acknowledged} acknowledged calls on {report.orders} orders, {report.unclear} "
            f"unclear, in {report.seconds:.1f} s"
        )
    exit_codes = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNKNOWN: 3}
    raise typer.Exit(exit_codes[report.outcome])


@contextmanager
def _unknown_where_it_broke_off() -> Iterator[None]:
    """Turn any error that ends a check before its report into "unknown" (exit 3). A caller that reads the exit code
    alone would take "failed" (exit 1) for lost orders. A mistake in the call remains exit 2.
    """
    try:
        yield
    except InvalidInput:
        raise
    except LakeproofError as error:
        raise CouldNotLook(error.what, where=error.where, next_action=error.next_action) from error
    except OSError as error:
        raise CouldNotLook(error.strerror or str(error), where=str(error.filename or "this machine")) from error
    except Exception as error:
        log.exception("the check broke off")
        raise CouldNotLook(f"the check broke off ({type(error).__name__}: {error}): nothing was judged") from error
