"""Repairs of the scenario support-timeline."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named
from lakeproof.probes.reading import Value
from lakeproof.probes.redis import ROOM, room
from lakeproof.processes.handed_variable import (
    hand_variable,
    handed_variables,
    last_handed,
    start_by_hand,
    without_login,
)
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.redis import asked
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file
from lakeproof_shop.scenarios.support_timeline.probes import SERVICE, late_sources, slow_sources, variable_of
from lakeproof_shop.services.support.offload import offload

SECONDS = 5.0

ENDLESS = -1

SHOWN = 5


class DeleteEndlessKeys(Mitigation):
    """Delete the keys of Redis that never end."""

    def typed(self, stack: Stack) -> str:
        """With the password in REDISCLI_AUTH."""
        host, port = stack.host_port("redis")
        cli = f"redis-cli -h {host} -p {port}"
        return (
            f'{cli} --scan | while read -r key; do [ "$({cli} TTL "$key")" = {ENDLESS} ] && {cli} UNLINK "$key"; done'
            " # only where used_memory is near maxmemory (redis-cli INFO memory); look at them first:"
            " redis-cli --bigkeys"
        )

    def run(self, stack: Stack) -> str:
        """Delete the keys without an end, where Redis is full; elsewhere such a key may be somebody's, and harms
        nobody.

        Raises: InvalidInput for somebody else's Redis, where such keys may be wanted; TransientError; TerminalError
        where Redis is still full afterwards.
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


FAILED_SHOWN = 3


class OffloadAttachments(Mitigation):
    """Move attachments into the object store.

    `age_days`: attachments of this age or older are moved; 0: all.
    """

    age_days: float = Field(0.0, ge=0, le=36_500)

    def typed(self, stack: Stack) -> str:
        """The same by hand; first with --dry-run."""
        return f'make support-offload ARGS="--age-days {self.age_days:g}"'

    def run(self, stack: Stack) -> str:
        """Each is read back from the store, and compared, before its local file is deleted. Customers read it as
        before.

        Raises: InvalidInput where the folder is somebody else's; TransientError without the database; TerminalError
        where some attachments were not moved.
        """
        done = asyncio.run(offload(stack, self.age_days, dry_run=False, progress=lambda _: None))
        if done.failed:
            why = "; ".join(f"attachment {one['attachment']}: {one['why']}" for one in done.failed[:FAILED_SHOWN])
            raise TerminalError(f"{len(done.failed)} of {done.candidates} attachments stayed: {why}", where="minio")
        others = (
            f"; {done.moved_by_another} more were moved by another run meanwhile" if done.moved_by_another else ""
        )
        moved = f"{done.moved} attachments ({done.moved_bytes / 1e6:.0f} MB)"
        return f"{moved} are in the object store, each byte for byte{others}"


LOOK_SECONDS = 5.0


class SwitchSource(Named, Mitigation):
    """Switch a source of timelines off, or off and on again.

    Switch a source of the support service's timelines off, or on again.

    Off: timelines say that the source is off, and come at once. On again: support gets back the address that it had
    before the source was switched off, or the stack's own where it had none. An address through which the source is
    late is given up for the stack's own. Either restarts support, which reads its sources' addresses once, at its
    start.

    `source`: which; without one, the sources that are late for support alone; if there are none and `to` is off, the
    slow ones. `to`: off, or on, which means off and on again. `only`: these sources alone (named.py).
    """

    source: Literal["", "order", "payment", "fulfillment"] = ""
    to: Literal["on", "off"] = "on"

    def typed(self, stack: Stack) -> str:
        """The same by hand; `start` hands on what this shell has set."""
        sources = (self.source or self.only or "SOURCE").split(",")
        had, to = last_handed(stack, SERVICE), dict[str, str | None]()
        for source in sources:
            variable = variable_of(source)
            to[variable] = "" if self.to == "off" else _before(stack, source, had.get(variable))
        return f"lakeproof stop {SERVICE}; {start_by_hand(SERVICE, had | to)}"

    def run(self, stack: Stack) -> str:
        """Switch the sources, and return once support is healthy. Safe to repeat; on and off undo each other.

        Raises: InvalidInput, CouldNotLook, TransientError; TerminalError where none was named and none is late, or
        only others are than the proposal named.
        """
        client = our_processes(stack, f"restart {SERVICE}")
        if client.row(SERVICE).pid is None:
            # Perhaps a run of this was cut off. Only a process can tell its addresses, and whether a source is late.
            client.start(SERVICE)
        late = [] if self.source else named(self, _late(stack, self.to))
        return "; ".join(
            _off(stack, source) if self.to == "off" else _on(stack, source, is_late=bool(late))
            for source in late or [self.source]
        )

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The sources that are late or slow now."""
        return {} if self.source else hold_to_found(self, lambda: _late(stack, self.to))


def _off(stack: Stack, source: str) -> str:
    """Switch the source off. An address that somebody set is noted first, since the process that knows it ends."""
    address = handed_variables(stack, SERVICE).get(variable_of(source))
    if address:
        write_file(_note(stack, source), address, mode=0o600)  # there may be a password in it
    elif address is None:
        _note(stack, source).unlink(missing_ok=True)
    hand_variable(stack, SERVICE, variable_of(source), "")
    return f"{source}: switched off"


def _on(stack: Stack, source: str, *, is_late: bool) -> str:
    """is_late: support was asked already, and says that the source is late."""
    address = handed_variables(stack, SERVICE).get(variable_of(source))
    if address and not is_late and f"{source}-service" not in str(late_sources(stack, LOOK_SECONDS)).split():
        return f"{source}: stays on at {without_login(address)}, where it is not late"
    noted = _before(stack, source, address)
    hand_variable(stack, SERVICE, variable_of(source), noted)
    _note(stack, source).unlink(missing_ok=True)
    before = f" (it was {without_login(address)})" if address else ""
    now = without_login(noted) if noted else "the stack's own address"
    return f"{source}: switched off and on again, at {now}{before}"


def _before(stack: Stack, source: str, address: str | None) -> str | None:
    """The source's address before it was switched off; None where that was the stack's own, or the source is not off.

    address: the present one, "" where the source is off. A note about a source that is on is outdated.
    """
    note = _note(stack, source)
    return note.read_text(encoding="utf-8") if address == "" and note.is_file() else None


def _note(stack: Stack, source: str) -> Path:
    """The file that keeps the address of a source while it is off."""
    return stack.data_dir(SERVICE) / f"switched-off-{source}"


def _late(stack: Stack, to: str) -> list[str]:
    """The sources that are late for support alone; if there are none and `to` is off, the slow ones. A slow source
    gains nothing from off and on again, which mends the road alone.

    Raises: CouldNotLook; TerminalError where there is none.
    """
    found = _sources(late_sources(stack, LOOK_SECONDS))
    if not found and to == "off":
        found = _sources(slow_sources(stack, LOOK_SECONDS))
    if not found:
        raise TerminalError(
            "no source is late for it alone" + (", and none is slow" if to == "off" else ""),
            where=SERVICE,
            next_action="name one: --arg source=fulfillment",
        )
    return found


def _sources(told: Value) -> list[str]:
    return [name.removesuffix("-service") for name in str(told).split() if name != "none"]
