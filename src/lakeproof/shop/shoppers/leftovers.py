"""What a shopper that was killed left open: calls of which nobody knows what became of them, settled by a look.

The service gives a call up after its own limit, and rolls its transaction back; a shopper waits longer than that. So
once such a call is older than a shopper would wait, the order as the shop shows it is what became of the call. The
answer goes into the ledger of the run that is over, and nothing is ever sent for it again.
"""

import asyncio
import fcntl
import os
from pathlib import Path

from lakeproof.shop.ledger import Event, Line, now_us, open_calls
from lakeproof.shop.ledger_writer import LedgerBroken
from lakeproof.shop.order.models import Op
from lakeproof.shop.shoppers.storefront import Answer, Shop, Word

REASON = "read after its shopper had ended"


async def settle_leftovers(folder: Path, shop: Shop, call_seconds: float) -> int:
    """Settle what ended runs of `folder` left open; gives how many calls. A shop without an answer ends it early.

    call_seconds: the longest that a shopper waits for an answer; younger calls are waited for.
    Raises: InvalidInput for rubbish in a ledger, LedgerBroken where one cannot be written.
    """
    settled = 0
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise LedgerBroken(f"it cannot be opened: {error.strerror}", where=str(path)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            settled += await _settle_run(path, file, shop, call_seconds)
        except BlockingIOError:
            continue  # its shoppers live, and settle their calls themselves
        except OSError as error:
            raise LedgerBroken(f"it cannot be written: {error.strerror}", where=str(path)) from error
        finally:
            os.close(file)
    return settled


async def _settle_run(path: Path, file: int, shop: Shop, call_seconds: float) -> int:
    """One run's open calls, its ledger locked in `file`. Raises: OSError, InvalidInput."""
    left = open_calls(path)
    if not left:
        return 0
    newest = max(line.at_us for line in left.values())
    await asyncio.sleep(max(0.0, min(call_seconds, call_seconds - (now_us() - newest) / 1e6)))
    _cut_torn_line(file)
    settled = 0
    for key, line in left.items():
        answer = await shop.read(key)
        if answer.word is not Word.OK:
            break
        _write(file, _settlement(line, answer))
        settled += 1
    os.fdatasync(file)
    return settled


def _settlement(line: Line, answer: Answer) -> Line:
    """The line that says what became of the call of `line`."""
    # Without such an order: it was never made, or this is the call that deleted it.
    gone = 0 if line.op is Op.CREATE else line.version
    version = gone if answer.order is None else answer.order.version
    return Line(now_us(), line.run, line.key, line.op, line.attempt + 1, Event.SETTLED, version, answer.order, REASON)


def _cut_torn_line(file: int) -> None:
    """Take away a last line that its writer did not finish, or the next one would stand behind it."""
    size = os.fstat(file).st_size
    tail = os.pread(file, min(size, 1 << 20), max(0, size - (1 << 20)))
    torn = len(tail) - (tail.rfind(b"\n") + 1)
    if torn:
        os.ftruncate(file, size - torn)


def _write(file: int, line: Line) -> None:
    view = memoryview(line.to_bytes())
    while view:
        view = view[os.write(file, view) :]
