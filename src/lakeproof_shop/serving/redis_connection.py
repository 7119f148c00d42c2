"""A service's connections to Redis, with short timeouts, because a service works on without Redis.

`SERVICE_REDIS_URL` (redis://[[user]:password@]host:port[/n]) names another Redis than the stack's own.
"""

import os
from urllib.parse import quote

import redis
from redis import retry
from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from lakeproof.stack.stack import Stack

URL_VARIABLE = "SERVICE_REDIS_URL"
CONNECTIONS = 32


def redis_url(stack: Stack) -> str:
    """The address of Redis, with its password."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        return given
    host, port = stack.host_port("redis")
    return f"redis://:{quote(stack.secret('redis'), safe='')}@{host}:{port}/0"


def connect(url: str, seconds: float) -> Redis:
    """A client that gives up each step after `seconds`, does not retry, and connects at its first command."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def connect_blocking(url: str, seconds: float) -> redis.Redis:
    """As `connect`, but blocking, for use in a thread."""
    return redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=retry.Retry(NoBackoff(), 0)
    )


async def problem_of(client: Redis) -> str:
    """For /health: "" or what is wrong with Redis."""
    try:
        await client.ping()
    except (RedisError, OSError, TimeoutError) as error:
        return f"no answer: {type(error).__name__}"
    return ""
