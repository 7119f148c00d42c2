"""VictoriaLogs: the log store. Loki stands for it in compose, and where the settings say `server = "loki"`.

One binary of 15 MB, compiled on request (`lakeproof setup --only victorialogs`). It takes Loki's push format but not
Loki's queries, so each query is rendered for both stores (observability/logs/query.py). Traps: it acknowledges
entries that stay in memory for up to 5 s; it closes a connection after two minutes unless told otherwise; of an entry
that is JSON it would keep the fields and not the text.
"""

import base64

import httpx

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.install import artifacts
from lakeproof.stack import loopback
from lakeproof.stack.component import STEPS_BACK, Command, Component
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

NAME = "victorialogs"
# The store asks for a login, since the log files are closed to other users of the machine too.
USER = "lakeproof"
# With less than this free on its disk the store takes nothing more, and new entries wait in the log files.
MIN_FREE_BYTES = 512 << 20
MEMORY_BYTES = 128 << 20


def server(stack: Stack) -> str:
    """Which log store answers at the endpoint: victorialogs or loki. Raises: InvalidInput for another word."""
    given = stack.settings.endpoints.get(NAME, {}).get("server", NAME)
    if given not in (NAME, "loki"):
        raise InvalidInput(
            f"no log store {given!r}", where=f"server under [endpoints.{NAME}]", next_action=f"{NAME} or loki"
        )
    return given


def command(stack: Stack) -> Command:
    """Listens on loopback, wants a login, and drops its oldest day beyond the bound of days or of bytes."""
    logs = stack.settings.logs
    return Command(
        (
            str(artifacts.path(NAME) / "bin" / "victoria-logs"),
            f"-httpListenAddr={stack.settings.host}:{stack.port(NAME)}",
            f"-storageDataPath={stack.data_dir(NAME)}",
            f"-retentionPeriod={logs.retention_days}d",
            f"-retention.maxDiskSpaceUsageBytes={logs.disk_bytes}",
            f"-storage.minFreeDiskSpaceBytes={MIN_FREE_BYTES}",
            f"-memory.allowedBytes={MEMORY_BYTES}",
            f"-httpAuth.username={USER}",
            f"-httpAuth.password=file://{stack.etc_dir(NAME) / 'password'}",
            "-http.connTimeout=24h",
            "-loggerLevel=WARN",
        )
    )


def prepare(stack: Stack) -> None:
    """Write the store's password, and close its data to other users."""
    write_file(stack.etc_dir(NAME) / "password", stack.secret(NAME), mode=0o600)
    data = stack.data_dir(NAME)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)


def ready(stack: Stack, timeout: float) -> None:
    """It answers a query; Loki: it says that it is ready. Raises: NotReady."""
    try:
        if server(stack) == "loki":
            answer = loopback.get(f"{stack.url(NAME)}/ready", timeout=timeout, headers=login(stack))
        else:
            answer = ask(stack, {"query": "_time:1m | limit 1"}, timeout)
    except httpx.HTTPError as error:
        raise NotReady(f"no answer: {type(error).__name__}", where=NAME) from error
    if answer.status_code != 200:
        raise NotReady(f"answered {answer.status_code}: {answer.text[:200]}".rstrip(": "), where=NAME)


def ask(stack: Stack, parameters: dict[str, str], timeout: float) -> httpx.Response:
    """One query in LogsQL. Raises: httpx.HTTPError."""
    url = f"{stack.url(NAME)}/select/logsql/query"
    return loopback.get(url, params=parameters, timeout=timeout, headers=login(stack))


def login(stack: Stack) -> dict[str, str]:
    """The header with the login; none for somebody else's log store whose password the settings do not give."""
    if not stack.has_secret(NAME):
        return {}
    word = base64.b64encode(f"{USER}:{stack.secret(NAME)}".encode()).decode()
    return {"Authorization": f"Basic {word}"}


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        prepare=prepare,
        ready=ready,
        start_seconds=30.0,
        in_plain_up=False,
        artifact=NAME,
        image="grafana/loki:3.5.0",
        summary="log store",
        nice=STEPS_BACK,
        one_because="one process has one folder of logs",
    ),
)
