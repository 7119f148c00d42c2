"""Questions to Redis: does it answer, and has it room for what is written next?"""

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, REJECTED, SILENT, STARTING
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.redis import asked, client
from lakeproof.stack.stack import Stack

ROOM = "room"
# From this share of its limit on, Redis lets go of keys at each write.
FULL_SHARE = 0.95


def redis_answers(stack: Stack, timeout: float) -> Value:
    """answers, silent, refused, rejected (it has another password), starting (it loads), or its error in one word."""
    import redis

    asking = client(stack, timeout)
    try:
        asking.ping()
    except redis.AuthenticationError:
        return REJECTED
    except redis.BusyLoadingError:
        return STARTING
    except redis.TimeoutError:
        return SILENT
    except redis.ConnectionError as error:
        return REFUSED if "refused" in str(error) else SILENT
    except redis.ResponseError as error:
        return f"error {str(error).partition(' ')[0]}"
    finally:
        asking.close()
    return ANSWERS


def room(stack: Stack, timeout: float) -> Value:
    """ROOM, or how full Redis is, and how many keys never end. Keys that have an end it lets go when it needs room.

    Raises: TransientError.
    """
    with asked(stack, timeout) as redis:
        memory, keys = redis.info("memory"), redis.info("keyspace")
    used, limit = int(memory["used_memory"]), int(memory["maxmemory"])
    endless = sum(int(one["keys"]) - int(one["expires"]) for one in keys.values())
    if not limit or used < FULL_SHARE * limit or not endless:
        return ROOM
    return f"full: {used / 1e6:.1f} of {limit / 1e6:.1f} MB used, {endless} keys that never end"


PROBES = (
    Probe(
        "redis-answers",
        "redis",
        "PING",
        "",
        redis_answers,
        Condition(Operator.IS, ANSWERS),
        always=True,
        liveness=True,
    ),
    Probe("redis-room", "redis", "INFO memory, INFO keyspace", "", room, Condition(Operator.IS, ROOM)),
)
