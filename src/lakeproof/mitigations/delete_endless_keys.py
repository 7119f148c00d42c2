"""Give a full Redis room again: delete the keys that never end. Each key of the shop has an end of its own."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.redis import ROOM, room
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.redis import asked
from lakeproof.stack.stack import Stack

SECONDS = 5.0
ENDLESS = -1
SHOWN = 5


def typed(stack: Stack, arguments: Arguments) -> str:
    """With the password in REDISCLI_AUTH."""
    host, port = stack.host_port("redis")
    cli = f"redis-cli -h {host} -p {port}"
    return (
        f'{cli} --scan | while read -r key; do [ "$({cli} TTL "$key")" = {ENDLESS} ] && {cli} UNLINK "$key"; done'
        " # only where used_memory is near maxmemory (redis-cli INFO memory); look at them first: redis-cli --bigkeys"
    )


def run(stack: Stack, arguments: Arguments) -> str:
    """Delete the keys without an end, where Redis is full; elsewhere such a key may be somebody's, and harms nobody.

    Raises: InvalidInput for somebody else's Redis, where such keys may be wanted; TransientError; TerminalError where
    Redis is still full afterwards.
    """
    our_processes(stack, "delete keys of Redis")
    if room(stack, SECONDS) == ROOM:
        return "Redis has room, so no key is deleted"
    deleted, names = 0, list[str]()
    with asked(stack, SECONDS) as redis:
        for key in redis.scan_iter(count=1000):
            if redis.ttl(key) == ENDLESS and redis.unlink(key):
                deleted += 1
                if len(names) < SHOWN:
                    names.append(key.decode(errors="replace"))
    more = f" and {deleted - len(names)} more" if deleted > len(names) else ""
    told = f"{deleted} keys that never end are deleted{f' ({", ".join(names)}{more})' if names else ''}"
    left = room(stack, SECONDS)
    if left != ROOM:
        raise TerminalError(f"{told}, and it is {left}", where="redis")
    return f"{told}, and Redis has room"


MITIGATION = Mitigation("delete_endless_keys", "delete the keys of Redis that never end", typed, run)
