"""The small clean environment of every child: nothing of the caller's shell leaks into an engine.

A program of ours gets the stack's settings, resolved, as LAKEPROOF_* variables and not as the path of a file: so one
that is started again an hour later sees the same stack as the daemon, whatever became of lakeproof.toml. An engine
reads none of them, and passwords and webhooks may be among them: of the settings it gets the stack's name and folder
alone, by which a person who finds its process knows whose it is (processes/ports.py tells where it holds a port).
"""

import json
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakeproof.stack.component import Command
    from lakeproof.stack.stack import Stack

RUN_ID = "LAKEPROOF_RUN_ID"
COMPONENT = "SUPERVISED_COMPONENT"

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
# One of the inventory service's settings. By itself it wins over the table of settings that every child gets.
RESERVATION_TTL = "LAKEPROOF_INVENTORY__RESERVATION_TTL_SECONDS"
# One of the support service's and one of the notification service's, in the same way.
TIMELINE_CACHE_TTL = "LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS"
MESSAGE_LIMIT = "LAKEPROOF_NOTIFICATION__NOTIFICATION_RATE_LIMIT"
SETTINGS_OF_ONE = (RESERVATION_TTL, TIMELINE_CACHE_TTL, MESSAGE_LIMIT)
# Where a service of the shop finds others, how long it lets a reservation live, for how long it keeps a timeline, and
# how many messages a customer gets; `lakeproof start NAME` may give one component others than the daemon's.
SERVICE_VARIABLES = (
    "SERVICE_REDIS_URL",
    "SERVICE_ORDER_SERVICE_URL",
    "SERVICE_PAYMENT_SERVICE_URL",
    "SERVICE_FULFILLMENT_SERVICE_URL",
    *SETTINGS_OF_ONE,
)
# Whom Alertmanager tells: addresses and keys, so nobody else gets them (observability/receivers.py).
ALERTMANAGER, RECEIVER_PREFIX = "alertmanager", "ALERTMANAGER_"
TO_EVERY_CHILD = ("JAVA_HOME", "LAKEPROOF_CACHE", "LAKEPROOF_YES", "LAKEPROOF_KEEP_TEST_STATE", "LOG_LEVEL")
# What a program of ours finds of the daemon's own environment; a service's URL may carry a password.
HANDED_ON = (*TO_EVERY_CHILD, *SERVICE_VARIABLES)
# Of the settings, what an engine's process gets too.
WHOSE = ("LAKEPROOF_NAME", "LAKEPROOF_STATE_DIR")


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

    `given`: what this component was handed at its start beside the daemon's own variables; only programs of ours read
    such. `command.env` wins over it and over the rest, but not over the run id: the sweep finds a stack's processes
    by it.
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
