"""Redis is full of rubbish: large keys without an end of their own, which its eviction never takes.

Every key of the shop has an end, so Redis lets all of them go to make room, and then refuses each further write.
"""

from itertools import count

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.redis import ROOM, room
from lakeproof.stack.engines.redis import asked
from lakeproof.stack.stack import Stack

PREFIX = "rubbish:"
# Redis takes no longer string than half a GiB.
PIECE_BYTES = 256 << 20
# The keys go beyond the limit by this much: the used bytes that Redis counts vary with its clients' buffers.
OVER_BYTES = 1 << 20
MOST_BYTES = 1 << 30
SECONDS = 5.0


def inject(stack: Stack, arguments: Arguments) -> None:
    """Write until Redis is full.

    Raises: InvalidInput where it has no limit below a GiB, or also evicts keys that never end; TransientError.
    """
    with asked(stack, SECONDS) as redis:
        for number in count():
            memory = redis.info("memory")
            limit, used = int(memory["maxmemory"]), int(memory["used_memory"])
            if not 0 < limit < MOST_BYTES:
                raise InvalidInput(
                    f"its maxmemory is {limit} bytes", where="redis", next_action="fill it where that is below a GiB"
                )
            policy = str(memory["maxmemory_policy"])
            if policy.startswith("allkeys"):
                raise InvalidInput(
                    f"its maxmemory-policy is {policy}, so it never stays full",
                    where="redis",
                    next_action="fill it where that is volatile-lru",
                )
            if used > limit:
                return
            # SETRANGE is a short command that makes a long string. The bytes of a long command count as used before
            # it is looked at, so Redis would refuse it while there is still room for its value.
            size = min(PIECE_BYTES, limit - used + OVER_BYTES)
            redis.setrange(f"{PREFIX}{number}", size - 1, b"x")


def remove(stack: Stack, arguments: Arguments) -> None:
    """Delete the keys; safe where there are none. Raises: TransientError."""
    with asked(stack, SECONDS) as redis:
        for key in redis.scan_iter(f"{PREFIX}*", count=1000):
            redis.unlink(key)


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """Redis itself counts more bytes than it may use."""
    found = str(room(stack, SECONDS))
    return Sign(found != ROOM, f"Redis: {found}")


FAULT = Fault("filled_redis", "fill Redis with keys that never end", inject, remove, sign)
