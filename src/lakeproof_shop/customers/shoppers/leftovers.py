"""Settles, by a look, the calls that a killed shopper left open, whose outcome nobody knows.

The service gives a call up after its own limit, and rolls its transaction back; a shopper waits longer than that. So
once such a call is older than a shopper would wait, its outcome is final, and the shop's order shows it. The outcome
is appended to the ended run's ledger, and nothing is ever sent for the call again.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.ledger.calls import Event, Told, ledgers_in, now_us
from lakeproof.ledger.writer import Written
from lakeproof_shop.customers.ledger import Line, OpenCall, open_calls
from lakeproof_shop.customers.shoppers.ended_runs import REASON, ended_run
from lakeproof_shop.customers.shoppers.storefront import Shop, Word

CHECKOUT_SECONDS = 30.0


async def settle_leftovers(folder: Path, shop: Shop, call_seconds: float) -> int:
    """Settle the calls that ended runs of `folder` left open; gives how many. Ends early if the shop does not answer.

    A call stays open where its order is in none of the states that it may be in, so that `check` finds that.
    call_seconds: the longest that a shopper waits for an answer; younger calls are waited for.
    Raises: InvalidInput for rubbish in a ledger, LedgerBroken where one cannot be written.
    """
    settled, patience = 0, Deadline(CHECKOUT_SECONDS)
    for path in ledgers_in(folder):
        with ended_run(path, Line.from_json) as run:
            if run is None or not (left := open_calls(path)):
                continue
            await wait_for_the_youngest([call.line for call in left.values()], call_seconds)
            lines: list[Written] = []
            answers = True
            for key, call in left.items():
                try:
                    if (line := await _settled(shop, key, call, patience)) is not None:
                        lines.append(line)
                except _NoAnswer:
                    answers = False
                    break
            run.append(lines)
            settled += len(lines)
            if not answers:
                break
    return settled


async def wait_for_the_youngest(left: Sequence[Told], call_seconds: float) -> None:
    """Wait until each of these calls is so old that its service has given it up."""
    newest = max(line.at_us for line in left)
    await asyncio.sleep(max(0.0, min(call_seconds, call_seconds - (now_us() - newest) / 1e6)))


class _NoAnswer(Exception):
    """The shop does not answer now."""


async def _settled(shop: Shop, key: str, call: OpenCall, patience: Deadline) -> Line | None:
    """The line that settles the call; None where its outcome stays unknown. patience: for all checkouts under way.

    Raises: _NoAnswer.
    """
    if not await _has_ended(shop, key, patience):
        return None
    answer = await shop.read(key)
    if answer.word is not Word.OK:
        raise _NoAnswer
    state, line = call.state_of(answer.order), call.line
    if state is None:
        return None
    return Line(
        *(now_us(), line.run, key, line.op, line.attempt + 1, Event.SETTLED, state.version, answer.order), REASON
    )


async def _has_ended(shop: Shop, key: str, patience: Deadline) -> bool:
    """Wait a while for a checkout that goes on without its buyer. False: it is left to the next run.

    Raises: _NoAnswer.
    """
    while (under_way := await shop.is_under_way(key)) is not False:
        if under_way is None:
            raise _NoAnswer
        if patience.expired:
            return False
        await asyncio.sleep(min(0.5, patience.left))
    return True
