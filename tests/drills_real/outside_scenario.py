"""A third scenario as somebody else would write it: data only, a folder outside the package."""

from pathlib import Path
from typing import Any

import yaml

NAME = "orders-stand-still"
ALERT = "OrdersStandStill"
CAUSE = "stopped_connector"
REPAIR = "resume_connector"
WRONG_FIX = "look_away"
LAG = 'max(kafka_connect_source_task_lag_millis{connector="orders"})'
# Sooner than the package's own alert on the same metric, and far above what a busy machine shows when all is well.
LAG_MILLIS = 20_000

SCENARIO: dict[str, Any] = {
    "id": NAME,
    "titles": {"vi": "Đơn hàng đứng yên", "en": "Orders stand still"},
    "severity": "high",
    "team": "data-platform",
    "sla_minutes": 15,
    "touches": ["connect"],
    "components": [
        *("order-service", "mysql", "kafka", "connect", "minio", "flink-jobmanager", "flink-taskmanager", "nessie"),
        *("publisher", "trino", "lag-exporter", "prometheus", "alertmanager", "desk"),
    ],
    "use_cases": ["finance-reconciliation"],
    "fault": {"id": "stopped_connector", "args": {"connector": "orders"}},
    "alerts": [ALERT],
    "evidence": ["oltp-connector-state", "oltp-task-state", "oltp-source-lag", "oltp-topic-silence"],
    "checks": [
        {"id": "alert_cleared"},
        {"id": "metric_below_threshold", "args": {"metric": LAG, "threshold": LAG_MILLIS, "unit": "ms"}},
        {"id": "connector_running"},
        {"id": "nothing_else_disturbed"},
        {"id": "no_order_lost"},
        {"id": "whole_transactions"},
    ],
    "budgets": {"detect": 75, "recover": 60, "verify": 90, "quiet": 15},
    "traffic": {"rate": 60, "seconds_before": 5, "orders": 2000},
}
TRUTH: dict[str, Any] = {
    "root_cause": CAUSE,
    "trigger": {"vi": "Có người dừng hẳn connector orders.", "en": "Somebody stopped the connector orders."},
    "accepted_repairs": [{"id": REPAIR}],
    "wrong_fixes": [
        {
            "id": WRONG_FIX,
            "steps": [{"id": "silence_alert", "args": {"alert": ALERT}}],
            "says": {"vi": "Tắt tiếng cảnh báo.", "en": "Silence the alert."},
            "rejected_by": ["connector_running"],
        }
    ],
}
RULES: dict[str, Any] = {
    "groups": [
        {
            "name": NAME,
            "rules": [
                {
                    "alert": ALERT,
                    "expr": f"{LAG} > {LAG_MILLIS}",
                    "for": "1m",
                    "labels": {
                        "severity": "high",
                        "team": "data-platform",
                        "scenario": NAME,
                        "component": "connect",
                        "connector": "orders",
                    },
                    "annotations": {
                        "metric": "kafka_connect_source_task_lag_millis",
                        "value": "{{ $value }}",
                        "runbook_url": f"/runbook/{NAME}",
                        "summary_vi": "Đơn hàng không còn đến lake",
                        "summary_en": "Orders no longer come to the lake",
                    },
                }
            ],
        }
    ]
}


def write_scenario(parent: Path) -> Path:
    """The folder, made in `parent`; gives it."""
    folder = parent / NAME
    folder.mkdir()
    files = {"scenario.yaml": SCENARIO, "truth.yaml": TRUTH, "alerts.yml": RULES}
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (folder / "runbook.vi.md").write_text("# Đơn hàng đứng yên\n\nBật lại connector orders.\n", encoding="utf-8")
    (folder / "runbook.en.md").write_text("# Orders stand still\n\nResume the connector orders.\n", encoding="utf-8")
    return folder
