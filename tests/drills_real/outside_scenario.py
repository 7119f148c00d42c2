"""A fourteenth scenario as somebody else would write it: a folder outside the package, and all that it needs in it.

Somebody lowers MariaDB's max_connections by hand. The package reads that limit only as what sessions are a share of.
So the folder brings its own probe, cause, fault and repair beside its rule, its truth and its two pages.
"""

from pathlib import Path
from typing import Any

import yaml

NAME = "session-limit-lowered"
ALERT = "MySQLSessionLimitLow"
CAUSE = "session_limit_lowered"
PROBE = "mysql-session-limit"
FAULT = "lowered_session_limit"
REPAIR = "restore_session_limit"
WRONG_FIX = "look_away"
LIMIT = "max(mysql_global_variables_max_connections)"
# The stack's server allows 200.
LEAST = 150

SCENARIO: dict[str, Any] = {
    "id": NAME,
    "titles": {"vi": "Giới hạn phiên bị hạ", "en": "The limit of sessions was lowered"},
    "severity": "high",
    "team": "infrastructure",
    "sla_minutes": 15,
    "touches": ["mysql"],
    "components": ["order-service", "mysql", "mysqld-exporter", "prometheus", "alertmanager", "desk"],
    "use_cases": ["finance-reconciliation"],
    "fault": {"id": FAULT, "args": {"limit": 120}},
    "alerts": [ALERT],
    "evidence": [PROBE],
    "checks": [
        {"id": "alert_cleared"},
        {
            "id": "metric_below_threshold",
            "args": {"metric": f"{LEAST} - {LIMIT}", "threshold": 0, "unit": "sessions"},
        },
        {"id": "nothing_else_disturbed"},
        {"id": "no_order_lost", "args": {"lake": False}},
    ],
    "budgets": {"detect": 75, "recover": 60, "verify": 90, "quiet": 15},
    "traffic": {"rate": 20, "seconds_before": 5, "orders": 200},
}
TRUTH: dict[str, Any] = {
    "root_cause": CAUSE,
    "trigger": {"vi": "Có người hạ max_connections bằng tay.", "en": "Somebody lowered max_connections by hand."},
    "accepted_repairs": [{"id": REPAIR}],
    "wrong_fixes": [
        {
            "id": WRONG_FIX,
            "steps": [{"id": "silence_alert", "args": {"alert": ALERT}}],
            "says": {"vi": "Tắt tiếng cảnh báo.", "en": "Silence the alert."},
            "rejected_by": ["metric_below_threshold"],
        }
    ],
}
CAUSES: dict[str, Any] = {
    "causes": [
        {
            "id": CAUSE,
            "says": {"vi": "max_connections của MariaDB bị hạ.", "en": "MariaDB's max_connections was lowered."},
            "necessary": [{"probe": PROBE, "op": "<", "value": LEAST}],
            "repairs": [{"id": REPAIR}],
        }
    ]
}
RULES: dict[str, Any] = {
    "groups": [
        {
            "name": NAME,
            "rules": [
                {
                    "alert": ALERT,
                    "expr": f"{LIMIT} < {LEAST}",
                    "for": "5m",
                    "labels": {
                        "severity": "high",
                        "team": "infrastructure",
                        "scenario": NAME,
                        "component": "mysql",
                    },
                    "annotations": {
                        "metric": "mysql_global_variables_max_connections",
                        "value": "{{ $value }}",
                        "runbook_url": f"/runbook/{NAME}",
                        "summary_vi": "MariaDB cho ít phiên hơn thường lệ",
                        "summary_en": "MariaDB lets in fewer sessions than usual",
                    },
                }
            ],
        }
    ]
}
MODULES = {
    "probes": f"""
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.stack.database_sessions import administrator


def limit(stack, timeout):
    with administrator(stack, "mysql", timeout) as ask:
        return int(ask("SELECT @@max_connections")[0][0])


PROBES = (
    Probe(
        "{PROBE}", "mysql", "SELECT @@max_connections", "sessions", limit,
        Condition(Operator.ABOVE, {LEAST - 1}), steady=True,
    ),
)
""",
    "faults": """
from lakeproof.faults.fault import Fault, Sign
from lakeproof.stack.database_sessions import administrator, set_most
from lakeproof.stack.engines.mysql import MAX_CONNECTIONS


class LoweredSessionLimit(Fault):
    "Lower MariaDB's max_connections."

    limit: int = 120

    def inject(self, stack):
        set_most(stack, self.limit, 5.0)

    def remove(self, stack):
        set_most(stack, MAX_CONNECTIONS, 5.0)

    def sign(self, stack):
        with administrator(stack, "mysql", 5.0) as ask:
            found = int(ask("SELECT @@max_connections")[0][0])
        return Sign(found == self.limit, f"max_connections is {found}")
""",
    "repairs": """
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.database_sessions import set_most
from lakeproof.stack.engines.mysql import MAX_CONNECTIONS


class RestoreSessionLimit(Mitigation):
    "Set max_connections as the configuration says."

    def typed(self, stack):
        return f"SET GLOBAL max_connections = {MAX_CONNECTIONS}"

    def run(self, stack):
        before = set_most(stack, MAX_CONNECTIONS, 5.0)
        return f"max_connections was {before}, is {MAX_CONNECTIONS}"
""",
}


def write_scenario(parent: Path) -> Path:
    """The folder, made in `parent`; gives it."""
    folder = parent / NAME
    folder.mkdir()
    files = {"scenario.yaml": SCENARIO, "truth.yaml": TRUTH, "causes.yaml": CAUSES, "alerts.yml": RULES}
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "runbook.vi.md").write_text("# Giới hạn phiên bị hạ\n\nĐặt lại max_connections.\n", encoding="utf-8")
    (folder / "runbook.en.md").write_text(
        "# The limit of sessions was lowered\n\nSet max_connections again.\n", encoding="utf-8"
    )
    return folder
