"""The process that own_process.py starts, with its end of a pipe as the argument:
`python -m lakeproof_shop.customers.shoppers.child FD`.
"""

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from lakeproof.errors import LakeproofError, TerminalError
from lakeproof_shop.customers.shoppers.handle import TrafficHandle
from lakeproof_shop.customers.shoppers.own_process import Answer, Question
from lakeproof_shop.customers.shoppers.traffic import Traffic


def serve(connection: Connection) -> None:
    """Let the shoppers buy, and answer the parent's questions. Raises: EOFError when the parent is gone."""
    make: Callable[[], Traffic] = connection.recv()
    handle = TrafficHandle(make())
    sending = threading.Lock()

    def answer(number: int, work: Callable[[], Any]) -> None:
        try:
            told = Answer(number, work())
        except LakeproofError as error:
            told = Answer(number, error=error)
        except BaseException as error:  # noqa: BLE001 - the parent must hear of it, and not every error can be sent
            told = Answer(number, error=TerminalError(f"{type(error).__name__}: {error}", where="shoppers"))
        with sending, contextlib.suppress(OSError):
            connection.send(told)

    while True:
        question: Question = connection.recv()
        if question.settle_seconds is None:
            answer(question.number, handle.counts)
        else:  # on a thread, so that this one notices when the parent ends
            stop = functools.partial(handle.stop, question.settle_seconds)
            threading.Thread(target=answer, args=(question.number, stop), daemon=True).start()


if __name__ == "__main__":
    with contextlib.suppress(EOFError, OSError):
        serve(Connection(int(sys.argv[1])))
    # Nobody listens any more. Threads that still buy must not keep this process alive. Whoever settles leftovers next
    # cuts off a line left half written.
    os._exit(0)
