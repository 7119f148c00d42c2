"""A Redis that is full of keys that never end: how it is told, filled, and given room again."""

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.probes import redis as probes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import faults, repairs

MB = 1_000_000


class Memory:
    """A Redis of so many bytes: its keys with their size and TTL. It refuses nothing; its users must look."""

    def __init__(self, limit: int) -> None:
        self.limit, self.keys = limit, {"support:timeline:1": (MB, 2)}
        self.policy, self.writes = "volatile-lru", 0

    def info(self, section: str) -> dict[str, Any]:
        if section == "memory":
            used = sum(size for size, _ in self.keys.values())
            return {"maxmemory": self.limit, "used_memory": used, "maxmemory_policy": self.policy}
        return {"db0": {"keys": len(self.keys), "expires": sum(ttl > 0 for _, ttl in self.keys.values())}}

    def setrange(self, key: str, offset: int, value: bytes) -> None:
        self.writes += 1
        assert self.writes < 20, "it goes on for ever"
        if self.policy == "allkeys-lru":
            self.keys.clear()
        self.keys[key] = (offset + len(value), -1)

    def ttl(self, key: bytes) -> int:
        return self.keys[key.decode()][1]

    def scan_iter(self, match: str = "*", count: int = 0) -> list[bytes]:
        return [key.encode() for key in fnmatch.filter(list(self.keys), match)]

    def unlink(self, key: bytes) -> int:
        return int(self.keys.pop(key.decode(), None) is not None)


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Memory:
    made = Memory(64 * MB)

    @contextmanager
    def asked(stack: Stack, timeout: float) -> Iterator[Memory]:
        yield made

    for module in (faults, repairs, probes):
        monkeypatch.setattr(module, "asked", asked)
    return made


def test_it_is_filled_beyond_its_limit_and_emptied_again(redis: Memory, stack: Stack) -> None:
    assert probes.room(stack, 1.0) == "room"
    assert not faults.FilledRedis().sign(stack).holds
    for _ in range(2):
        faults.FilledRedis().inject(stack)
    seen = faults.FilledRedis().sign(stack)
    assert seen.holds and "keys that never end" in seen.seen
    assert redis.info("memory")["used_memory"] > redis.limit + MB
    assert len(redis.keys) == 2
    for _ in range(2):
        faults.FilledRedis().remove(stack)
    assert list(redis.keys) == ["support:timeline:1"]


def test_the_repair_deletes_what_never_ends_and_nothing_else(redis: Memory, stack: Stack) -> None:
    faults.FilledRedis().inject(stack)
    redis.setrange("somebody's", 0, b"x")
    told = repairs.DeleteEndlessKeys().run(stack)
    assert told == "2 keys that never end are deleted (rubbish:0, somebody's), and Redis has room"
    assert list(redis.keys) == ["support:timeline:1"]
    assert repairs.DeleteEndlessKeys().run(stack) == "Redis has room, so no key is deleted"


def test_of_a_redis_that_has_room_no_key_is_deleted(redis: Memory, stack: Stack) -> None:
    """A key without an end may be somebody's, and is in nobody's way."""
    redis.setrange("feature-flags", 0, b"x")
    assert repairs.DeleteEndlessKeys().run(stack) == "Redis has room, so no key is deleted"
    assert "feature-flags" in redis.keys


def test_of_many_keys_that_are_deleted_some_are_named(redis: Memory, stack: Stack) -> None:
    for at in range(7):
        redis.setrange(f"endless:{at}", 10 * MB, b"x")
    told = repairs.DeleteEndlessKeys().run(stack)
    assert told.startswith("7 keys that never end are deleted (endless:0, ") and "endless:4 and 2 more)" in told


def test_full_of_keys_that_end_is_no_trouble_and_the_last_byte_is_not_needed(redis: Memory, stack: Stack) -> None:
    redis.keys = {"support:timeline:1": (70 * MB, 2)}
    assert probes.room(stack, 1.0) == "room"
    redis.keys["endless"] = (1, -1)
    assert probes.room(stack, 1.0) != "room"
    redis.keys["support:timeline:1"] = (60 * MB, 2)
    assert probes.room(stack, 1.0) == "room"
    redis.limit = 0
    assert probes.room(stack, 1.0) == "room"


def test_a_redis_without_a_limit_is_not_filled(redis: Memory, stack: Stack) -> None:
    redis.limit = 0
    with pytest.raises(InvalidInput, match="maxmemory is 0"):
        faults.FilledRedis().inject(stack)


def test_a_redis_that_lets_go_of_every_key_is_not_filled_for_ever(redis: Memory, stack: Stack) -> None:
    redis.policy = "allkeys-lru"
    redis.keys["somebody's"] = (50 * MB, -1)
    with pytest.raises(InvalidInput, match="maxmemory-policy is allkeys-lru"):
        faults.FilledRedis().inject(stack)
    assert "somebody's" in redis.keys


def test_a_repair_that_did_not_help_says_so(redis: Memory, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairs, "room", lambda *_: "full: 70 of 64 MB")
    with pytest.raises(TerminalError, match="it is full"):
        repairs.DeleteEndlessKeys().run(stack)


def test_somebody_elses_keys_are_never_deleted(redis: Memory, tmp_path: Path) -> None:
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints={"redis": {"tcp": "far:6379"}}))
    with pytest.raises(InvalidInput, match="somebody else"):
        repairs.DeleteEndlessKeys().run(stack)
