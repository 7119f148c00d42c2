"""What a shopper that was killed left open: calls of which nobody knows what became of them, settled by a look.

The service gives a call up after its own limit, and rolls its transaction back; a shopper waits longer than that. So
once such a call is older than a shopper would wait, the order as the shop shows it is what became of the call. The
answer goes into the ledger of the run that is over, and nothing is ever sent for it again.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from lakeproof.customers.calls import Event, Told, ledgers_in, now_us
from lakeproof.customers.ledger import Line, OpenCall, open_calls
from lakeproof.customers.ledger_writer import Written
from lakeproof.customers.shoppers.ended_runs import REASON, ended_run
from lakeproof.customers.shoppers.storefront import Shop, Word
from lakeproof.deadline import Deadline

CHECKOUT_SECONDS = 30.0


async def settle_leftovers(folder: Path, shop: Shop, call_seconds: float) -> int:
    """Settle what ended runs of `folder` left open; gives how many calls. A shop without an answer ends it early.

    A call stays open where its order is in neither of the two states that it may be in: `check` shall find that.
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
    """Until each of these calls is so old that its service has given it up."""
    newest = max(line.at_us for line in left)
    await asyncio.sleep(max(0.0, min(call_seconds, call_seconds - (now_us() - newest) / 1e6)))


class _NoAnswer(Exception):
    """The shop does not answer now."""


async def _settled(shop: Shop, key: str, call: OpenCall, patience: Deadline) -> Line | None:
    """What became of it; None where nobody can tell. `patience`: for checkouts under way, of all runs.

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
    """Wait a while for a checkout that goes on without its buyer; what is not over then is left to the next run.

    Raises: _NoAnswer.
    """
    while (under_way := await shop.is_under_way(key)) is not False:
        if under_way is None:
            raise _NoAnswer
        if patience.expired:
            return False
        await asyncio.sleep(min(0.5, patience.left))
    return True
