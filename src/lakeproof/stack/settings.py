"""What a user may set: `lakeproof.toml` in the working folder, and `LAKEPROOF_*` in the environment.

The environment wins over the file. A value inside a table has two underscores in its variable's name
(`LAKEPROOF_LAKE__CHECKPOINT_SECONDS=3`); a whole list or table is given as JSON (`LAKEPROOF_LAKE='{"cut": false}'`).
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from lakeproof.errors import InvalidInput
from lakeproof.stack.addresses import USUAL_PORTS, is_address
from lakeproof.stack.place import CONFIG_FILE, NAME_PATTERN, NOT_SETTINGS
from lakeproof.stack.secrets import NAMES
from lakeproof.stack.watch_settings import LogsSettings, TicketSettings
from lakeproof.strict_model import StrictModel
from lakeproof.unknown_name import unknown_name

# LakeAuditStale fires where the last audit that kept up with publishing began more than 300 s ago. An audit begins
# `audit_seconds` after the last one began, or 1.5 times that audit's duration after it where this is longer. The
# audits of two databases may take 180 s, which makes 270 s.
LONGEST_AUDIT_EVERY_SECONDS = 200.0
PORT_SHIFT_MAX = 46_000  # so that every component's shifted port is at most 65535 (tests/stack/test_settings.py)


class LakeSettings(StrictModel):
    """How the lake is written and published. Times in seconds."""

    checkpoint_seconds: float = Field(
        2.0,
        ge=0.5,
        le=600,
        description="time between two checkpoints of the lake job of MariaDB's tables while rows arrive",
    )
    idle_checkpoint_seconds: float = Field(
        5.0, ge=0.5, le=600, description="the same while no rows arrive; never shorter than `checkpoint_seconds`"
    )
    shop_checkpoint_seconds: float = Field(
        10.0, ge=0.5, le=600, description="as `checkpoint_seconds`, for the job of PostgreSQL's tables, where it runs"
    )
    shop_idle_checkpoint_seconds: float = Field(
        20.0, ge=0.5, le=600, description="as `idle_checkpoint_seconds`, for the job of PostgreSQL's tables"
    )
    publish_seconds: float = Field(
        0.3, ge=0.05, le=600, description="the publisher's usual pause between looks; longer with rare checkpoints"
    )
    readable_seconds: int = Field(900, ge=60, le=30 * 86_400, description="how long a published hash can be read")
    audit_seconds: float = Field(
        60.0, ge=5, description="between the starts of two full audits by Trino; at most 200"
    )
    align_transactions: bool = Field(True, description="false: a checkpoint may split a transaction (for proofs)")
    result_topics: bool = Field(True, description="false: no result topics are written, so projections stop changing")
    cut: bool = Field(True, description="false: publish each table's newest snapshot, of any checkpoint (for proofs)")

    @field_validator("audit_seconds")
    @classmethod
    def _audits_stay_fresh(cls, seconds: float) -> float:
        if not seconds <= LONGEST_AUDIT_EVERY_SECONDS:
            most = LONGEST_AUDIT_EVERY_SECONDS
            raise ValueError(f"{seconds:g} is more than {most:g}: LakeAuditStale would fire between two audits")
        return seconds


class CheckSettings(StrictModel):
    """`lakeproof check`."""

    statement_seconds: float = Field(
        90.0,
        ge=5,
        le=3600,
        description="limit for one statement; for a lake engine at least three times its slowest so far",
    )


class CaptureSettings(StrictModel):
    """Change capture."""

    exactly_once: bool = Field(
        True,
        description="Kafka Connect writes in transactions, and the lake's job drops events that are sent again; "
        "false: rows may come twice after a crash (for proofs)",
    )


class ShopSettings(StrictModel):
    """Services of the shop."""

    pool_size: int = Field(10, ge=1, le=500, description="how many database connections a service has")
    request_seconds: float = Field(5.0, ge=0.1, le=600, description="a request that takes longer is given up")
    max_body_bytes: int = Field(65536, ge=1024, le=1 << 24, description="a larger request is refused")
    ledger_covers: Literal["auto", "all", "own"] = Field(
        "auto",
        description="all: an order that our shoppers' ledger does not know is phantom; own: it is somebody else's, "
        "counted but not judged; auto: all in mode local, own in mode external",
    )
    crash_at: str = Field(
        "",
        pattern=r"^((before|after) (GET|POST|PUT|PATCH|DELETE) /[^ ]*)?$",
        description="before or after METHOD /route/{as_in}/openapi: such a request kills its service (for tests)",
    )


class FulfillmentSettings(StrictModel):
    """The fulfillment service's worker."""

    look_seconds: float = Field(0.5, ge=0.05, le=60, description="pause between two looks for work nobody announced")
    lease_seconds: float = Field(
        20.0, ge=1, le=3600, description="how long a killed worker's parcels wait; above a step's store calls"
    )
    store_seconds: float = Field(3.0, ge=0.1, le=60, description="a longer call to the object store is given up")
    crash_after: Literal[
        "",
        "claimed",
        "label_written",
        "pending_recorded",
        "label_copied",
        "ready_recorded",
        "pending_deleted",
        "shipped_recorded",
        "labels_cleared",
    ] = Field("", description="the worker's process is killed after this step (for tests)")


class InventorySettings(StrictModel):
    """The inventory service's reservations."""

    reservation_ttl_seconds: float = Field(
        900.0, ge=1, le=86_400, description="how long after it was made an unconfirmed reservation ends"
    )
    reservation_ttl_floor_seconds: float = Field(
        300.0, ge=1, le=86_400, description="/health and metrics report a reservation lifetime below this"
    )


class NotificationSettings(StrictModel):
    """The notification service: its limit, its providers, its worker. Times in seconds."""

    notification_rate_limit: int = Field(
        60, ge=1, le=1_000_000, description="how many messages a customer may get by one channel within the window"
    )
    notification_rate_window_seconds: int = Field(60, ge=1, le=86_400, description="the window of that limit")
    redis_seconds: float = Field(
        0.1, ge=0.01, le=5, description="limit for each step of asking Redis; after two failed tries messages pass"
    )
    provider_seconds: float = Field(3.0, ge=0.1, le=60, description="a longer call to a provider is given up")
    lease_seconds: float = Field(
        20.0, ge=1, le=3600, description="how long a killed sender's messages wait; above `provider_seconds`"
    )
    retry_seconds: float = Field(
        5.0, ge=0.1, le=3600, description="pause after the first failed try; doubles with each one after, up to 600"
    )
    attempts: int = Field(8, ge=1, le=100, description="tries before a notification is left as failed")
    look_seconds: float = Field(0.5, ge=0.05, le=60, description="pause between two looks for due notifications")


class CheckoutSettings(StrictModel):
    """The order service's checkout: purchases across all services. Times in seconds."""

    call_seconds: float = Field(2.0, ge=0.1, le=60, description="a longer call to another service is given up")
    hold_seconds: float = Field(
        10.0, ge=1, le=3600, description="how long a killed worker's checkout waits; above a step's calls"
    )
    sweep_seconds: float = Field(1.0, ge=0.1, le=600, description="pause between two looks for abandoned checkouts")
    work_seconds: float = Field(20.0, ge=1, le=600, description="how long one such look works on a checkout")
    crash_at: str = Field(
        "",
        pattern=r"^((reserve|order|authorize|confirm|capture|pay|label|notify|void|release|cancel|recall|refund|restock"
        r"|withdraw|take_back|repay|put_back|return):(before|after))?$",
        description="STEP:before or STEP:after: the process is killed there (for tests)",
    )


class SupportSettings(StrictModel):
    """The support service. A source's URL: unset is the stack's own service, empty switches the source off."""

    timeline_cache_ttl_seconds: float = Field(
        2.0, ge=0, le=86_400, description="how old a timeline from the cache may be; 0: no timeline is cached"
    )
    cache_seconds: float = Field(0.5, ge=0.01, le=5, description="limit for each step of a call to Redis, the cache")
    source_seconds: float = Field(
        2.5, ge=0.05, le=60, description="a source that has not answered by then is missing from the timeline"
    )
    order_service_url: str | None = Field(None, description="where a timeline asks for orders")
    payment_service_url: str | None = Field(None, description="where a timeline asks for payments")
    fulfillment_service_url: str | None = Field(None, description="where a timeline asks for parcels")
    support_attachment_dir: Path | None = Field(None, description="attachments; default: in the stack's data folder")
    attachment_max_bytes: int = Field(10 * 1024 * 1024, ge=1, le=1 << 30, description="a larger file is refused")


class CassandraSettings(StrictModel):
    """The Cassandra ring, where somebody else runs it."""

    datacenter: str = Field(
        "dc1", min_length=1, max_length=100, description="the data center that is asked; our own ring's is dc1"
    )


class Settings(StrictModel):
    """One stack's settings.

    `endpoints` points components at somebody else's servers:
    `[endpoints.connect]` / `http = "10.0.0.5:8083"`. In mode "external" nothing is started here.
    `secrets` gives passwords by name for external endpoints; local ones are generated (stack/secrets.py).
    `accounts` gives the user that belongs to such a password, by the same name, where it is not the usual one.
    """

    name: str = Field(
        "default", pattern=NAME_PATTERN, description="name and ports must differ for stacks to run side by side"
    )
    mode: Literal["local", "external"] = Field(
        "local", description="external: every server is somebody else's, and none is started here"
    )
    state_dir: Path | None = Field(
        None, description="default: lakeproof/NAME in the user's state folder, for root in /var/lib"
    )
    host: str = Field(
        "127.0.0.1",
        pattern=r"^(127(\.\d{1,3}){3}|0\.0\.0\.0)$",
        description="the loopback address that servers listen on; few of them ask for a login. 0.0.0.0 is "
        "accepted in mode external only, for a container",
    )
    port_shift: int = Field(0, ge=0, le=PORT_SHIFT_MAX, description="added to every port")
    timing: Literal["drill", "production"] = Field(
        "production", description="the alert rules' time windows outside of drills"
    )
    endpoints: dict[str, dict[str, str]] = Field({}, description="addresses of somebody else's servers, by component")
    secrets: dict[str, str] = Field({}, description="passwords for such servers, by name")
    accounts: dict[str, str] = Field(
        {}, description="the user that belongs to such a password, by the same name, where it is not the usual one"
    )
    scenario_dirs: list[Path] = Field([], description="further folders of scenarios")
    desk_url: str = Field(
        "", description="SQLAlchemy URL of the incident desk's database; default: SQLite in the stack's data folder"
    )
    lake: LakeSettings = LakeSettings()
    check: CheckSettings = CheckSettings()
    capture: CaptureSettings = CaptureSettings()
    shop: ShopSettings = ShopSettings()
    checkout: CheckoutSettings = CheckoutSettings()
    notification: NotificationSettings = NotificationSettings()
    fulfillment: FulfillmentSettings = FulfillmentSettings()
    support: SupportSettings = SupportSettings()
    inventory: InventorySettings = InventorySettings()
    cassandra: CassandraSettings = CassandraSettings()
    logs: LogsSettings = LogsSettings()
    tickets: TicketSettings = TicketSettings()

    @property
    def ledger_is_whole(self) -> bool:
        """True where an order that our ledger never saw must not be there."""
        covers = self.shop.ledger_covers
        return covers == "all" or (covers == "auto" and self.mode == "local")

    @field_validator("endpoints")
    @classmethod
    def _addresses(cls, given: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for component, kinds in given.items():
            for kind, address in kinds.items():
                # The other kinds are no addresses: `secrets_file` of connect, for example, is a path.
                if kind in ("http", "tcp", "jmx") and not is_address(address):
                    raise ValueError(f"{component}.{kind} is {address!r}; wanted host:port")
        return given

    @field_validator("state_dir", mode="before")
    @classmethod
    def _somewhere(cls, given: object) -> object:
        if given == "":
            raise ValueError("empty: it would be the folder that you are in")
        return given

    @model_validator(mode="after")
    def _open_to_all_in_a_container_only(self) -> "Settings":
        if self.host == "0.0.0.0" and self.mode == "local":
            raise ValueError("host 0.0.0.0 opens every server to the network: only in mode external, in a container")
        return self

    @field_validator("accounts")
    @classmethod
    def _known_accounts(cls, given: dict[str, str]) -> dict[str, str]:
        for name in given:
            if name not in NAMES:
                raise ValueError(f"{name} is no secret's name; one of {', '.join(NAMES)}")
        return given


def load_settings() -> Settings:
    """Read and check the settings.

    Raises: InvalidInput naming the file, the key and what is wrong with it.
    """
    path = Path(os.environ.get("LAKEPROOF_CONFIG", CONFIG_FILE))
    given = _from_environment()  # before the file: a misspelt variable is reported whatever stands in the file
    try:
        settings = Settings.model_validate(_merged(_from_file(path), given))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{key}: {first['msg']}", where=f"{path} or LAKEPROOF_*", next_action=f"correct {key}"
        ) from error
    _require_known_components(settings, path)
    return settings


def _from_environment() -> dict[str, Any]:
    """What LAKEPROOF_* say, nested as the settings are. Raises: InvalidInput that names the variable."""
    found: dict[str, Any] = {}
    # Sorted, so that a whole table (…_LAKE) comes before its single values (…_LAKE__CUT), which win.
    for variable in sorted(os.environ):
        if not variable.startswith("LAKEPROOF_") or variable in NOT_SETTINGS:
            continue
        head, *inner = variable.removeprefix("LAKEPROOF_").lower().split("__")
        field = Settings.model_fields.get(head)
        if field is None:
            known = ", ".join(sorted(name.upper() for name in Settings.model_fields))
            raise InvalidInput("no setting of that name", where=variable, next_action=f"one of {known}")
        value: Any = os.environ[variable]
        if not inner and isinstance(field.default, list | dict | BaseModel):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise InvalidInput(
                    f"not valid JSON for a setting of many values: {error}",
                    where=variable,
                    next_action="""lists and tables are JSON, e.g. LAKEPROOF_SCENARIO_DIRS='["folder"]'""",
                ) from error
        for name in reversed(inner):
            value = {name: value}
        found = _merged(found, {head: value})
    return found


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The values of both. Where both have one, that of `over` wins; two tables are merged in the same way."""
    found = dict(under)
    for key, value in over.items():
        old = found.get(key)
        found[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return found


def _from_file(path: Path) -> dict[str, Any]:
    """What the file says; empty where there is no file.

    Raises: InvalidInput where a file that is there, or that LAKEPROOF_CONFIG names, cannot be read: without it the
    stack would run with other settings than were meant.
    """
    named = "LAKEPROOF_CONFIG" in os.environ
    mend = "mend LAKEPROOF_CONFIG or unset it" if named else "make it a readable file, or take it away"
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError as error:
        if named:
            raise InvalidInput("no such file", where=str(path), next_action=mend) from error
        return {}
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(path), next_action=mend) from error
    except tomllib.TOMLDecodeError as error:  # its text ends with "(at line 3, column 14)"
        raise InvalidInput(f"not valid TOML: {error}", where=str(path), next_action="correct that line") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        raise InvalidInput(
            f"not valid TOML: not UTF-8 (at line {line}, column {column})",
            where=str(path),
            next_action="save it as UTF-8",
        ) from error


def _require_known_components(settings: Settings, path: Path) -> None:
    """Endpoints are for components: a misspelt one would silently leave the local server in use."""
    for name in settings.endpoints:
        if name not in USUAL_PORTS:
            raise unknown_name(
                "component", name, USUAL_PORTS, where=f"{path} or LAKEPROOF_ENDPOINTS, [endpoints.{name}]"
            )
