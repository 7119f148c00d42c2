"""`lakeproof query`: ask the lake: one statement, all its tables at one published hash."""

from typing import Annotated

import typer

from lakeproof.cli.check import LakeEngine
from lakeproof.cli.output import print_json, print_table, say
from lakeproof.cli.slowly import Slowly
from lakeproof.stack.stack import load_stack


def query(
    sql: Annotated[str, typer.Argument(help='One reading statement, as in "SELECT count(*) FROM orders".')],
    engine: Annotated[LakeEngine, typer.Option(help="The engine that answers.")] = LakeEngine.TRINO,
    at: Annotated[str | None, typer.Option(help="A published hash, or its beginning; default: the newest.")] = None,
    seconds: Annotated[
        float, typer.Option(min=1, max=86_400, help="Give up, and cancel the statement, after so long.")
    ] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask the lake: every table of the statement is read at one published hash.

    MariaDB's tables are oltp.orders, oltp.order_items, oltp.order_events, oltp.cdc_heartbeat. PostgreSQL's, where
    shop-capture is part of the stack, are shop.payments, shop.payment_events, shop.fulfillments,
    shop.fulfillment_events, shop.cases, shop.case_events, shop.case_messages, shop.case_attachments,
    shop.notifications, shop.preferences, shop.cdc_heartbeat. `lakeproof lake show HASH` lists those of a hash,
    `lakeproof lake log` the hashes and until when each can be read. Only reading statements are taken.

    Exit 0 answered, 1 refused by the engine, 2 not a reading statement, or a hash that is not there
    or no longer readable, 3 no engine, no answer in time, or nothing published.
    """
    from lakeproof.lake.query.asking import ask

    commit, answer = ask(load_stack(), sql, engine=engine.value, at=at, seconds=seconds, progress=Slowly(say))
    if as_json:
        print_json(answer.as_json(commit))
        return
    shown = [["NULL" if value is None else value for value in row] for row in answer.rows]
    print_table([column.name for column in answer.columns], shown)
    hash_and_time = f"{commit.hash[:16]} of {commit.at:%H:%M:%S} UTC"
    say(f"{len(answer.rows)} rows in {answer.seconds:.2f} s from {engine.value} at {hash_and_time}")
