"""What a shopper that was killed left open: calls of which nobody knows what became of them, settled by a look.

The service gives a call up after its own limit, and rolls its transaction back; a shopper waits longer than that. So
once such a call is older than a shopper would wait, the order as the shop shows it is what became of the call. The
answer goes into the ledger of the run that is over, and nothing is ever sent for it again.
"""

import asyncio
import fcntl
import os
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.shop.ledger import Event, Line, is_line, now_us, open_calls
from lakeproof.shop.ledger_writer import LedgerBroken
from lakeproof.shop.shoppers.storefront import Shop, Word

REASON = "read after its shopper had ended"
LONGEST_LINE = 1 << 20
CHECKOUT_SECONDS = 30.0


async def settle_leftovers(folder: Path, shop: Shop, call_seconds: float) -> int:
    """Settle what ended runs of `folder` left open; gives how many calls. A shop without an answer ends it early.

    A call stays open where its order is in neither of the two states that it may be in: `check` shall find that.
    call_seconds: the longest that a shopper waits for an answer; younger calls are waited for.
    Raises: InvalidInput for rubbish in a ledger, LedgerBroken where one cannot be written.
    """
    settled, patience = 0, Deadline(CHECKOUT_SECONDS)
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise LedgerBroken(f"it cannot be opened: {error.strerror}", where=str(path)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            settled += await _settle_run(path, file, shop, call_seconds, patience)
        except BlockingIOError:
            continue  # its shoppers live, and settle their calls themselves
        except _NoAnswer:
            break
        except OSError as error:
            raise LedgerBroken(f"it cannot be written: {error.strerror}", where=str(path)) from error
        finally:
            os.close(file)
    return settled


class _NoAnswer(Exception):
    """The shop does not answer now."""


async def _settle_run(path: Path, file: int, shop: Shop, call_seconds: float, patience: Deadline) -> int:
    """One run's open calls, its ledger locked in `file`; `patience`: for checkouts under way, of all runs.

    Raises: OSError, InvalidInput, _NoAnswer.
    """
    left = open_calls(path)
    if not left:
        return 0
    newest = max(call.line.at_us for call in left.values())
    await asyncio.sleep(max(0.0, min(call_seconds, call_seconds - (now_us() - newest) / 1e6)))
    _cut_broken_line(file)
    settled = 0
    for key, call in left.items():
        if not await _has_ended(shop, key, patience):
            continue
        answer = await shop.read(key)
        if answer.word is not Word.OK:
            raise _NoAnswer
        state = call.state_of(answer.order)
        if state is not None:
            line = call.line
            told = Line(
                now_us(), line.run, key, line.op, line.attempt + 1, Event.SETTLED, state.version, answer.order, REASON
            )
            _write(file, told)
            settled += 1
    os.fdatasync(file)
    return settled


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


def _cut_broken_line(file: int) -> None:
    """Take away a last line that was not finished or that a crash spoilt, as `read_lines` forgives one.

    The next line would stand behind it, where nothing is forgiven.
    """
    size = os.fstat(file).st_size
    tail = os.pread(file, min(size, LONGEST_LINE), max(0, size - LONGEST_LINE))
    whole = tail.endswith(b"\n")
    last = tail[tail.rfind(b"\n", 0, len(tail) - 1 if whole else len(tail)) + 1 :]
    if not whole or not is_line(last):
        os.ftruncate(file, size - len(last))


def _write(file: int, line: Line) -> None:
    view = memoryview(line.to_bytes())
    while view:
        view = view[os.write(file, view) :]
