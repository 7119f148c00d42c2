"""Questions to Redis: does it answer."""

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.redis import client
from lakeproof.stack.stack import Stack


def redis_answers(stack: Stack, timeout: float) -> Value:
    """answers, silent, refused, rejected (it has another password), or its error in one word."""
    import redis

    asking = client(stack, timeout)
    try:
        asking.ping()
    except redis.AuthenticationError:
        return "rejected"
    except redis.BusyLoadingError:
        return "error LOADING"
    except redis.TimeoutError:
        return SILENT
    except redis.ConnectionError as error:
        return REFUSED if "refused" in str(error) else SILENT
    except redis.ResponseError as error:
        return f"error {str(error).partition(' ')[0]}"
    finally:
        asking.close()
    return ANSWERS


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
)
