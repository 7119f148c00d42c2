"""Redis 7.0 (Debian's; 8.0 on Debian 13): the notification limiter's counts and the support timeline's cache.

Every key expires by itself (a limit's window, a cache's TTL), and the services do without a key that is gone. Memory
is bounded, and the least recently used keys go first: a cached timeline goes before a count, which each message asks
for. Trap: its password may stand neither in argv nor in a file that others read, so a closed file has all settings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakeproof.errors import NotReady, TransientError
from lakeproof.stack.component import Command, Component
from lakeproof.stack.os_user import hand_over, let_pass
from lakeproof.stack.program import find_program
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

if TYPE_CHECKING:
    import redis

NAME = "redis"
OS_USER = "redis"
MAX_MEMORY = "64mb"


def redis_conf(stack: Stack) -> str:
    """The server's configuration, its password included; every option is valid in 7.0 and in 8.0."""
    return f"""\
bind {stack.settings.host}
port {stack.port(NAME, "tcp")}
protected-mode yes
requirepass {stack.secret("redis")}
dir {stack.data_dir(NAME)}
daemonize no
supervised no
logfile ""
databases 1
maxclients 500
tcp-keepalive 60
# after kill -9 nothing written is lost, after a power cut at most the last second
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory {MAX_MEMORY}
maxmemory-policy volatile-lru
"""


def command(stack: Stack) -> Command:
    """The server in the foreground, as `redis` where Lakeproof runs as root. Raises: MissingArtifact."""
    program = find_program("redis-server", package="redis-server")
    return Command((program, str(stack.etc_dir(NAME) / "redis.conf")), cwd=stack.data_dir(NAME), user=OS_USER)


def prepare(stack: Stack) -> None:
    """Before each start: folders and configuration, which only the server's user may read.

    Raises: TerminalError where a folder on the way does not let that user pass, MissingArtifact without that user.
    """
    data, etc = stack.data_dir(NAME), stack.etc_dir(NAME)
    data.mkdir(parents=True, exist_ok=True)
    hand_over(data, OS_USER, "redis-server", 0o700)
    conf = etc / "redis.conf"
    write_file(conf, redis_conf(stack), mode=0o600)
    hand_over(conf, OS_USER, "redis-server", 0o600)
    let_pass(stack.state_dir, data.parent, OS_USER)
    let_pass(stack.state_dir, etc, OS_USER)


def client(stack: Stack, timeout: float) -> "redis.Redis":
    """A client that retries nothing, with `timeout` seconds for each step; it connects at its first command."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    host, port = stack.host_port(NAME, "tcp")
    return redis.Redis(
        host=host,
        port=port,
        password=stack.secret("redis"),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def asked(stack: Stack, timeout: float) -> Iterator["redis.Redis"]:
    """A client that is closed after the block. The block raises TransientError where Redis refuses, or is silent."""
    import redis

    asking = client(stack, timeout)
    try:
        yield asking
    except redis.RedisError as error:
        raise TransientError(f"{type(error).__name__}: {error}", where=NAME, next_action="lakeproof ps") from error
    finally:
        asking.close()


def ready(stack: Stack, timeout: float) -> None:
    """It has loaded its data and writes them: INFO persistence, with the stack's password."""
    import redis

    asking = client(stack, timeout)
    try:
        state = asking.info("persistence")
    except redis.AuthenticationError as error:
        raise NotReady("it refuses the password of secrets.json", where=NAME) from error
    except redis.RedisError as error:
        raise NotReady(f"no answer: {type(error).__name__}", where=NAME) from error
    finally:
        asking.close()
    if state.get("loading"):
        raise NotReady("it loads its data", where=NAME)
    if state.get("aof_last_write_status") != "ok":
        raise NotReady("it cannot write its log, and refuses changes", where=NAME)


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        ready=ready,
        prepare=prepare,
        start_seconds=30.0,
        in_plain_up=False,
        image="redis:7.0.15",
        summary="counts of the notification limiter, cache of the support timeline",
        one_because="what it keeps may be lost at any time, so no second one stands by",
    ),
)
