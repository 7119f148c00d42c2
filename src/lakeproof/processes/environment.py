"""The small clean environment of every child: nothing of the caller's shell leaks into an engine.

The stack's settings are handed on resolved, as LAKEPROOF_* variables, not as the path of a file: so a child that is
started again an hour later sees the same stack as the daemon, whatever became of lakeproof.toml.
"""

import json
import os
import pwd
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack

RUN_ID = "LAKEPROOF_RUN_ID"
COMPONENT = "SUPERVISED_COMPONENT"

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
# One of the inventory service's settings. By itself it wins over the table of settings that every child gets.
RESERVATION_TTL = "LAKEPROOF_INVENTORY__RESERVATION_TTL_SECONDS"
# One of the support service's, in the same way.
TIMELINE_CACHE_TTL = "LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS"
SETTINGS_OF_ONE = (RESERVATION_TTL, TIMELINE_CACHE_TTL)
# Where a service of the shop finds others, how long it lets a reservation live, and for how long it keeps a timeline;
# `lakeproof start NAME` may give one component others than the daemon's.
SERVICE_VARIABLES = (
    "SERVICE_REDIS_URL",
    "SERVICE_ORDER_SERVICE_URL",
    "SERVICE_PAYMENT_SERVICE_URL",
    "SERVICE_FULFILLMENT_SERVICE_URL",
    *SETTINGS_OF_ONE,
)
# Whom Alertmanager tells: addresses and keys, so nobody else gets them (observability/receivers.py).
ALERTMANAGER, RECEIVER_PREFIX = "alertmanager", "ALERTMANAGER_"
HANDED_ON = (
    "JAVA_HOME",
    "LAKEPROOF_CACHE",
    "LAKEPROOF_YES",
    "LAKEPROOF_KEEP_TEST_STATE",
    "LOG_LEVEL",
    *SERVICE_VARIABLES,
)


def settings_environment(stack: "Stack") -> dict[str, str]:
    """The stack's settings as the variables from which `load_settings` makes the same settings again."""
    values = stack.settings.model_dump(mode="json") | {"state_dir": str(stack.state_dir)}
    return {
        f"LAKEPROOF_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def service_variables(given: Mapping[str, str], component: str = "") -> dict[str, str]:
    """What of `given` the component reads at its start, an empty one too: SERVICE_VARIABLES, and ALERTMANAGER_…"""
    told = [name for name in given if component == ALERTMANAGER and name.startswith(RECEIVER_PREFIX)]
    return {name: given[name] for name in (*SERVICE_VARIABLES, *told) if name in given}


def child_environment(
    stack: "Stack",
    run_id: str,
    component: str,
    *,
    user: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Everything a child of the daemon finds in its environment.

    `extra` (Command.env) wins over the rest, but not over the run id: the sweep finds a stack's processes by it.
    """
    home = pwd.getpwnam(user).pw_dir if user and os.geteuid() == 0 else os.environ.get("HOME", "/")
    inherited = {name: os.environ[name] for name in (*CERTIFICATE_VARIABLES, *HANDED_ON) if name in os.environ}
    inherited |= service_variables(os.environ, component)
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": home,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **inherited,
        **settings_environment(stack),
        **(extra or {}),
        RUN_ID: run_id,
        COMPONENT: component,
    }
