"""A component: something that can run, as data. Only processes/ starts anything.

An engine is a third party's (stack/engines/, one file each); a service is ours (stack/services/). From this one
list come the local processes, Prometheus' scrape config, `ps`, and the docs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Command:
    """How one process is started.

    user: the OS user that the process runs as where Lakeproof runs as root; None: root.
    env: added to a small clean environment (PATH, HOME, LANG), not to the caller's.
    Secrets go into `env` or files, never into `argv`, which every user of the machine can read.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None


@dataclass(frozen=True)
class Scrape:
    """One metrics endpoint. In Prometheus the component's name is its job.

    port: the kind of port that serves it.
    seconds: the pause between two scrapes during a drill (observability/sources.py has the pause at other times).
    names: the metrics that Prometheus keeps, since something reads them; empty: it keeps all.
    """

    port: str
    seconds: float = 1.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replicas:
    """Further processes of a component that can have them (`lakeproof scale`).

    make: gives the component of process number 2 and up, with ports and folders of its own.
    ending: what happens to the work of a process that ends; a person who scales back is told this.
    """

    make: Callable[[int], "Component"]
    ending: str


class Hook(StrEnum):
    """A step that needs more than stack/ may import. It lies in provisioning/ and runs as a process of its own."""

    PREPARE = "prepare"
    PROVISION = "provision"
    BEFORE_STOP = "before_stop"


# By how much (as nice(1) counts) the lake's engines, its readers and the log store yield to the shop's services when
# processors are short; Kafka and MariaDB as well, because lake and shop share them. On two full cores a purchase took
# 1.8 s with equal shares and 0.7 s like this, and the lake was as far behind in both. docs/decisions/0056 says what
# else was tried.
STEPS_BACK = 5


@dataclass(frozen=True)
class Component:
    """Something that can run.

    name: the same in processes, compose, logs (`container=`), metrics (`job=`).
    ports: kind → usual port, all shifted by one setting; left out: those of that name in addresses.py. "http" is what
        /health and APIs answer on.
    needs: these are healthy before this component is started. Keep the list short: JVMs may start in parallel, and
        wait for each other by themselves.
    waits_for: called at each start, gives the components that replace `needs` this time; None: always `needs`.
    provision_needs: these are healthy before the PROVISION hook runs.
    uses: these run as well, started in any order: without them the component cannot do its work. Circles are allowed.
    prepare: runs before each start, safe to repeat: writes config, makes data folders (in a thread, < 250 s).
    ready: asks a real question within `timeout` seconds; raises NotReady. The health question later on is the same.
    answer_seconds: the `timeout` of `ready`. It is longer for an engine whose answer costs work, since on busy
        processors such an engine answers late and is not down. Another probe has to tell that the engine hangs.
    hooks: which steps provisioning/ has for it.
        PREPARE: before each start and before `prepare`, such as rules that are rendered from the scenarios.
        PROVISION: once ready, at every (re)start, safe to repeat: topics, schemas, connectors, the lake's job. The
        component is healthy only after this hook succeeded.
        BEFORE_STOP: before its stop signal, while it is healthy: such as stopping a job with a savepoint.
    always_goodbye: BEFORE_STOP runs also where the component is not healthy, since it ends what runs elsewhere.
    takes_down: components that must not outlive this one (a JobManager's TaskManagers).
    start_seconds: a start that takes longer has failed; the first start has at least `Pace.first_start`.
    stop_seconds: from stop_signal to SIGKILL.
    nice: how far it steps back where processors are short, as nice(1) counts it. 0: the shop's services, the stores
        that are theirs alone, the parts that lead to an alert, and parts that take next to nothing. Hooks run with a
        whole share.
    on_demand: started by the command that needs it; neither alerts nor probes watch it.
    in_plain_up: started by `up` without a name, which is the path of an order; the rest by name or by `up --all`.
    artifact: a program that set-up builds only on request; until then `up --all` leaves this component out.
    image: the container image that takes its place in compose.
    replicas: how further processes of it are made; None where there can be one only, and one_because says why.
    replica_of: the component whose further process this is. It is started by its own name or by `scale` alone.
    after_outage: ids of repair steps, each with the argument `component`, that follow once it runs again after an
        outage, in which it missed what the others were told.
    lasting: for a further process: gives True while it is a member of something that outlives `down` (a node in a
        ring). Then `up` of the components that it needs brings it up too.
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
    answer_seconds: float = 2.0
    start_seconds: float = 120.0
    stop_signal: str = "SIGTERM"
    stop_seconds: float = 10.0
    nice: int = 0
    on_demand: bool = False
    in_plain_up: bool = True
    artifact: str | None = None
    image: str | None = None
    summary: str = ""
    replicas: Replicas | None = None
    one_because: str = "it is one process, and nothing shares its work out to several"
    replica_of: str | None = None
    after_outage: tuple[str, ...] = ()
    lasting: Callable[[Stack], bool] | None = None

    def __post_init__(self) -> None:
        if not self.ports:
            object.__setattr__(self, "ports", USUAL_PORTS.get(self.name, {}))
