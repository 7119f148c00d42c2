"""What a benchmark is, what it gives, and which there are: every module of this folder with a `BENCHMARK`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import benchmarks
from lakeproof.machine import Machine, look_at_machine
from lakeproof.modules import package_modules
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """The options of a benchmark; 0 and () mean the benchmark's own choice.

    hashes: for whole-transactions and audit. kills: for whole-transactions and recovery.
    """

    seconds: float = 0.0
    rates: tuple[float, ...] = ()
    seed: int = 0
    rounds: int = 0
    only: tuple[str, ...] = ()
    hashes: int = 0
    kills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ratio:
    """A measured value divided by that of a peer or by a limit.

    aim: what we want of it, in words. met: whether the aim is met; None where there is no aim.
    """

    what: str
    value: float
    aim: str = ""
    met: bool | None = None

    @classmethod
    def at_most(cls, what: str, value: float, limit: float) -> "Ratio":
        """The ratio of a value that shall not exceed `limit`."""
        return cls(what, round(value / limit, 2), "at most 1", value <= limit)

    @classmethod
    def at_least(cls, what: str, value: float, limit: float) -> "Ratio":
        """The ratio of a value that shall reach `limit`."""
        return cls(what, round(value / limit, 2), "at least 1", value >= limit)


@dataclass(frozen=True)
class Result:
    """One run.

    tables: title → rows, each a mapping of column → value; the unit is part of the column's name.
    failed: something was seen that must not happen. unknown: not everything could be looked at.
    """

    name: str
    options: Options
    tables: Mapping[str, list[dict[str, Any]]]
    ratios: list[Ratio]
    notes: list[str] = field(default_factory=list)
    machine: Machine = field(default_factory=look_at_machine)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    failed: bool = False
    unknown: bool = False

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        options = self.options
        given = [f"--seconds {options.seconds:g}"] if options.seconds else []
        given += [f"--rate {rate:g}" for rate in options.rates]
        given += [f"--{name} {value}" for name in ("seed", "rounds", "hashes") if (value := getattr(options, name))]
        given += [f"--only {word!r}" for word in options.only]
        given += [f"--kill {name}" for name in options.kills]
        return " ".join(["lakeproof bench", self.name, *given])

    def to_json(self) -> dict[str, Any]:
        """Everything, for scripts."""
        return {"command": self.command, **asdict(self)}


@dataclass(frozen=True)
class Benchmark:
    """One measurement.

    needs: components that must be healthy in the stack; () where it brings its own stack or takes whatever runs.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    run: Callable[[Stack, Options, Progress], Result]


def all_benchmarks() -> Mapping[str, Benchmark]:
    """Every benchmark of this folder, by name."""
    found: dict[str, Benchmark] = {}
    for module in package_modules(benchmarks):
        if isinstance(one := getattr(module, "BENCHMARK", None), Benchmark):
            found[one.name] = one
    return found


def find(name: str) -> Benchmark:
    """The benchmark of that name. Raises: InvalidInput that lists the names."""
    known = all_benchmarks()
    if name not in known:
        raise unknown_name("benchmark", name, known)
    return known[name]
