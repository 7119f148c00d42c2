"""A component: something that can run, as data. Only processes/ starts anything.

An engine is a third party's (stack/engines/, one file each); a service is ours (stack/services/). From this one
list come the local processes, Prometheus' scrape config, `ps`, and the docs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Command:
    """How one process is started.

    `user`: the OS user to become when Lakeproof runs as root (None: stay). `env` is added to a small clean
    environment (PATH, HOME, LANG), not to the caller's. Secrets go into `env` or files, never into `argv`.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None


@dataclass(frozen=True)
class Scrape:
    """One metrics endpoint: Prometheus job = component name, port by its kind, path.

    seconds: the pause between two scrapes while a drill's windows are on (observability/sources.py has the others).
    names: the metrics that something reads; Prometheus drops the others. Empty: it keeps all.
    """

    port: str
    path: str = "/metrics"
    seconds: float = 1.0
    headers: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replicas:
    """Further processes of a component that can have them (`lakeproof scale`).

    make: the component of process number 2 and up, with ports and folders of its own (stack/addresses.py names them).
    ending: what it means to end one, for who scales back.
    """

    make: Callable[[int], "Component"]
    ending: str


class Hook(StrEnum):
    """A step that needs more than the stack knows. It lies in provisioning/ and runs as a process of its own."""

    PREPARE = "prepare"
    PROVISION = "provision"
    BEFORE_STOP = "before_stop"


@dataclass(frozen=True)
class Component:
    """Something that can run.

    name: the same in processes, compose, logs (`container=`), metrics (`job=`).
    ports: kind → usual port (addresses.py), all shifted by one setting. "http" is what /health and APIs answer on.
    needs: healthy before this one is started. Keep it short: JVMs may start in parallel and wait by themselves.
    waits_for: what takes the place of `needs` at this very start; None: it is always `needs`.
    provision_needs: healthy before its PROVISION hook runs.
    uses: must run as well for this one to do its work, in any order; part of the closure, circles allowed.
    prepare: before each start, safe to repeat: writes config, makes data folders (runs in a thread, < 60 s).
    ready: asks a real question within `timeout` seconds; raises NotReady. Also the health question later on.
    hooks: which steps provisioning/ has for it.
        PREPARE: before each start and before `prepare`, such as rules that are rendered from the scenarios.
        PROVISION: once ready, at every (re)start, safe to repeat: topics, schemas, connectors, the lake's job. The
        component is healthy only after it succeeded.
        BEFORE_STOP: a clean goodbye (stop with savepoint); only of one that is healthy, unless `always_goodbye`:
        what it ends is not in its own process.
    takes_down: components that must not outlive this one (a JobManager's TaskManagers).
    start_seconds: past it, starting counts as failed. stop_seconds: from stop_signal to SIGKILL.
    on_demand: started by the command that needs it, watched by nobody.
    in_plain_up: started by `up` without a name, which is the path of an order; the rest by name or by `up --all`.
    artifact: one that is only built on request; without it `up --all` leaves this component out, and says so.
    image: what stands for it in compose.
    replicas: how further processes of it are made; None where there can be one only.
    one_because: why there can be one only.
    replica_of: the component whose further process this is; never started but by its own name, or by `scale`.
    lasting: True while a further process is a member of something that outlives `down` (a node in a ring): `up` of
        what it needs brings it up too.
    """

    name: str
    kind: Literal["engine", "service"]
    command: Callable[[Stack], Command]
    ready: Callable[[Stack, float], None]
    ports: Mapping[str, int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    waits_for: Callable[[Stack], tuple[str, ...]] | None = None
    provision_needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    prepare: Callable[[Stack], None] | None = None
    hooks: tuple[Hook, ...] = ()
    always_goodbye: bool = False
    takes_down: tuple[str, ...] = ()
    scrapes: tuple[Scrape, ...] = ()
    start_seconds: float = 120.0
    stop_signal: str = "SIGTERM"
    stop_seconds: float = 10.0
    on_demand: bool = False
    in_plain_up: bool = True
    artifact: str | None = None
    image: str | None = None
    summary: str = ""
    replicas: Replicas | None = None
    one_because: str = "it is one process, and nothing shares its work out to several"
    replica_of: str | None = None
    lasting: Callable[[Stack], bool] | None = None
