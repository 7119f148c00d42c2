"""The small clean environment of every child: nothing of the caller's shell leaks into an engine.

A program of ours gets the stack's resolved settings as LAKEPROOF_* variables, not the path of a settings file. So a
program that is started again an hour later sees the same stack as the daemon, whatever became of lakeproof.toml.
An engine reads no settings, and they may hold passwords and webhooks. It gets the stack's name and folder alone, by
which a person who finds its process knows whose process it is (processes/ports.py says so of one that holds a port).
"""

import json
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakeproof.stack.component import Command
    from lakeproof.stack.stack import Stack

RUN_ID = "LAKEPROOF_RUN_ID"
COMPONENT = "SUPERVISED_COMPONENT"

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
# A setting of the inventory service. This variable wins over the table of settings that every child gets.
RESERVATION_TTL = "LAKEPROOF_INVENTORY__RESERVATION_TTL_SECONDS"
# A setting of the support service and one of the notification service, which win in the same way.
TIMELINE_CACHE_TTL = "LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS"
MESSAGE_LIMIT = "LAKEPROOF_NOTIFICATION__NOTIFICATION_RATE_LIMIT"
SETTINGS_OF_ONE = (RESERVATION_TTL, TIMELINE_CACHE_TTL, MESSAGE_LIMIT)
# The addresses at which a service of the shop finds others, how long a reservation lives, how long a timeline is
# kept, and how many messages a customer gets. `lakeproof start NAME` may give one component other values than the
# daemon's.
SERVICE_VARIABLES = (
    "SERVICE_REDIS_URL",
    "SERVICE_ORDER_SERVICE_URL",
    "SERVICE_PAYMENT_SERVICE_URL",
    "SERVICE_FULFILLMENT_SERVICE_URL",
    *SETTINGS_OF_ONE,
)
# Variables with the addresses and keys of Alertmanager's receivers: no other component gets them
# (observability/receivers.py).
ALERTMANAGER, RECEIVER_PREFIX = "alertmanager", "ALERTMANAGER_"
TO_EVERY_CHILD = ("JAVA_HOME", "LAKEPROOF_CACHE", "LAKEPROOF_YES", "LAKEPROOF_KEEP_TEST_STATE", "LOG_LEVEL")
# The variables that a program of ours takes over from the daemon's environment. An engine does not get
# SERVICE_VARIABLES, since a service's URL may carry a password.
HANDED_ON = (*TO_EVERY_CHILD, *SERVICE_VARIABLES)
# The only settings that an engine's process gets.
WHOSE = ("LAKEPROOF_NAME", "LAKEPROOF_STATE_DIR")


def settings_environment(stack: "Stack") -> dict[str, str]:
    """The stack's settings as the variables from which `load_settings` makes the same settings again."""
    values = stack.settings.model_dump(mode="json") | {"state_dir": str(stack.state_dir)}
    return {
        f"LAKEPROOF_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def importing_from(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Python process that also imports the modules of a folder, which are not installed."""
    before = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": f"{folder}{os.pathsep}{before}" if before else str(folder)}


def service_variables(given: Mapping[str, str], component: str = "") -> dict[str, str]:
    """The variables in `given` that the component reads at its start, with empty ones: SERVICE_VARIABLES; for
    Alertmanager also ALERTMANAGER_….
    """
    told = [name for name in given if component == ALERTMANAGER and name.startswith(RECEIVER_PREFIX)]
    return _those(given, (*SERVICE_VARIABLES, *told))


def _those(given: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: given[name] for name in names if name in given}


def child_environment(
    stack: "Stack",
    run_id: str,
    component: str,
    command: "Command",
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Everything a child of the daemon finds in its environment.

    `given`: variables for this component alone, beside the daemon's own; only programs of ours get them.
    `command.env` wins over all others, except over the run id, by which the sweep finds a stack's processes.
    """
    home = pwd.getpwnam(command.user).pw_dir if command.user and os.geteuid() == 0 else os.environ.get("HOME", "/")
    inherited = _those(os.environ, (*CERTIFICATE_VARIABLES, *TO_EVERY_CHILD))
    settings = settings_environment(stack)
    if command.argv[0] == sys.executable:
        inherited |= service_variables(os.environ, component)
    else:
        settings, given = _those(settings, WHOSE), None
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": home,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **inherited,
        **settings,
        **(given or {}),
        **command.env,
        RUN_ID: run_id,
        COMPONENT: component,
    }
