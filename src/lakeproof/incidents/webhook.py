"""Alertmanager's webhook, version 4, as it enters: checked, with nothing trusted beyond its shape."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

MOST_ALERTS = 10_000
# The scenario of an incident that no scenario's alert has joined.
NONE = "none"
NO_SCENARIO = frozenset({"", NONE})
SEVERITIES = ("warning", "high", "critical")


class AlertStatus(StrEnum):
    """What Alertmanager says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


# With a limit of the length pydantic also checks that a string can be written in UTF-8. It does not for a bare `str`.
type Name = Annotated[str, Field(max_length=4096)]


class AlertIn(BaseModel):
    """One alert of a notification. `fingerprint` + `startsAt` name one firing of it."""

    model_config = ConfigDict(extra="ignore")

    status: AlertStatus
    labels: dict[Name, Annotated[str, Field(max_length=4096)]] = Field(max_length=100)
    annotations: dict[Name, Annotated[str, Field(max_length=20_000)]] = Field({}, max_length=100)
    startsAt: AwareDatetime
    endsAt: AwareDatetime | None = None
    generatorURL: Annotated[str, Field(max_length=20_000)] = ""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{1,64}$")]

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.labels.get("alertname", "an alert without a name")[:256]

    @property
    def scenario(self) -> str:
        """The scenario that the alert's label names, "" for none."""
        scenario = self.labels.get("scenario", "")
        return "" if scenario in NO_SCENARIO else scenario[:128]

    @property
    def service(self) -> str:
        """What the alert is about: its label `component`, else a label that other people's rules use for that."""
        for label in ("component", "service", "job", "instance"):
            if self.labels.get(label):
                return self.labels[label][:128]
        return ""

    @property
    def group(self) -> str:
        """The scenario, else the alert's name and service. Alerts of one group join one ongoing incident."""
        return f"scenario:{self.scenario}" if self.scenario else f"alert:{self.name}:{self.service}"

    @property
    def severity(self) -> str:
        """Its severity; an unknown word counts as warning."""
        return severity_of(self.labels)

    @property
    def value(self) -> float | None:
        """The violating value, as the rule's annotation says it."""
        try:
            value = float(self.annotations["value"])
            return value if math.isfinite(value) else None
        except (KeyError, ValueError):
            return None

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; Alertmanager writes the year 1 for "not yet"."""
        if self.status is AlertStatus.FIRING or self.endsAt is None or self.endsAt.year < 1970:
            return None
        return self.endsAt.astimezone(UTC)

    @property
    def expression(self) -> str:
        """The rule's expression, from the link to its graph; "" when there is none."""
        return expression_of(self.generatorURL)


def severity_of(labels: Mapping[str, str]) -> str:
    """The severity in an alert's labels; an unknown word counts as warning."""
    severity = labels.get("severity", "")
    return severity if severity in SEVERITIES else SEVERITIES[0]


def expression_of(generator_url: str) -> str:
    """The expression in a link to Prometheus' graph page; "" for another link."""
    try:
        return parse_qs(urlsplit(generator_url).query).get("g0.expr", [""])[0]
    except ValueError:
        return ""


class Notification(BaseModel):
    """One POST of Alertmanager."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    status: AlertStatus
    externalURL: Annotated[str, Field(max_length=512)] = ""
    truncatedAlerts: int = 0
    alerts: list[AlertIn] = Field(max_length=MOST_ALERTS)
