"""The end of each command's --help: examples, which a test parses, and the meaning of its exit codes."""

from collections.abc import Mapping

import typer

EXIT_CODES = "Exit 0 done, 1 failed, 2 refused (wrong usage, your no), 3 could not look."

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "bench": ("bench", "bench rate --seconds 20 --rate 50 --rate 100"),
    "capture new-slot": ("capture new-slot shop", "capture new-slot shop --yes"),
    "capture register": ("capture register orders", "capture register shop"),
    "capture tables": ("capture tables --json",),
    "check": ("check", "check --engine trino --at 3f2a9c --json"),
    "demo": ("demo", "demo connector-failure --keep"),
    "diagnose": ("diagnose", "diagnose --json"),
    "doctor": ("doctor", "doctor --json"),
    "down": ("down",),
    "drill": ("drill replication-lag", "drill connector-failure --fix silence_alert --report report"),
    "env": ('eval "$(lakeproof env)"',),
    "fault inject": ("fault inject paused_connector", "fault inject killed_process --arg component=trino"),
    "fault list": ("fault list",),
    "fault remove": ("fault remove paused_connector", "fault remove --all"),
    "incident ack": ('incident ack 12 -m "I look at it"',),
    "incident attach": (
        "incident attach 12 probe.json",
        "incident attach 12 - --title 'support-probe after the repair' < probe.json",
    ),
    "incident check": (
        'incident check 12 rca_kept -m "wiki: Incidents/2026-11/12"',
        'incident check 12 checkpoint --waive -m "no job was concerned"',
    ),
    "incident cross-check": ("incident cross-check 12",),
    "incident export": ("incident export INC-000012 --to inc-12.json",),
    "incident lesson": ('incident lesson 12 "an alert on the connector\'s state itself"',),
    "incident lessons": ("incident lessons --scenario replication-lag",),
    "incident list": ("incident list --status open",),
    "incident merge": ('incident merge 13 12 -m "one cause"',),
    "incident mitigate": ('incident mitigate 12 -m "resume_connector"',),
    "incident note": ('incident note 12 "the connector was paused by hand"',),
    "incident open": ('incident open "orders are late" --severity high --service connect',),
    "incident own": ('incident own 12 binh -m "end of my shift"',),
    "incident rca": ('incident rca 12 --root-cause "paused by hand" > rca.md',),
    "incident resolve": ("incident resolve 12",),
    "incident review": ("incident review 12",),
    "incident show": ("incident show 12", "incident show INC-000012 --json"),
    "incident unmerge": ("incident unmerge 13",),
    "incident verify": ("incident verify 12",),
    "kill": ("kill kafka", "kill connect --signal STOP", "kill connect --signal CONT"),
    "lake branch": ("lake branch", "lake branch before-the-sale 3f2a9c"),
    "lake evolve": (
        "lake evolve orders gift_note --dry-run",
        "lake evolve payment.payments fee --type 'DECIMAL(12, 2)' --yes",
        "lake evolve orders gift_note --undo",
    ),
    "lake log": ("lake log -n 5",),
    "lake merge": ("lake merge --from ingest", "lake merge --from backup"),
    "lake publish": ("lake publish", "lake publish --database shop --wait 120"),
    "lake redeploy": ("lake redeploy",),
    "lake rollback": ("lake rollback",),
    "lake show": ("lake show 3f2a9c",),
    "lake tag": ("lake tag before-the-sale", "lake tag audit 3f2a9c"),
    "logs": (
        "logs kafka -n 20",
        "logs connect -f",
        """logs --query '{container=~"flink-.*"} error' --since 15m""",
        """logs --query '{level="error"}' --limit 20""",
    ),
    "mitigate": ("mitigate 12 --dry-run", "mitigate 12 --action resume_connector --yes"),
    "projector rebuild": ("projector rebuild", "projector rebuild --from-database"),
    "ps": ("ps", "ps --slow", "ps --json"),
    "query": (
        'query "SELECT status, count(*) FROM oltp.orders GROUP BY 1"',
        'query --engine spark --at 3f2a9c "VALUES 1"',
    ),
    "render alertmanager": ("render alertmanager --timing production",),
    "render dashboard": ("render dashboard > dataflow-overview.json",),
    "render compose": ("render compose --env-file .env", "render compose > compose.yaml"),
    "render prometheus": ("render prometheus --rules",),
    "render settings": ("render settings > docs/settings.md",),
    "reset": ("reset", "reset --yes --json"),
    "restart": ("restart trino",),
    "ring repair": ("ring repair cassandra-node2",),
    "ring replace": ("ring replace cassandra-node3",),
    "ring scale": ("ring scale 4", "ring scale 3"),
    "runbook list": ("runbook list",),
    "runbook review": ("runbook review", 'runbook review --done replication-lag -m "commands tried anew"'),
    "runbook show": ("runbook show replication-lag --lang vi",),
    "runbook write": ("runbook write --to docs/runbook",),
    "scale": ("scale flink-taskmanager 2", "scale connect 2 --json", "scale trino 1"),
    "serve": ("serve",),
    "setup": ("setup --yes", "setup --only trino --verify", "setup --only spark --yes"),
    "start": ("start trino",),
    "stop": ("stop trino",),
    "traffic": ("traffic --rate 20 --seconds 30", "traffic --base-url http://127.0.0.1:8001 --seed 7 --json"),
    "usecase list": ("usecase list", "usecase list --json"),
    "usecase run": ("usecase run finance-reconciliation", "usecase run inventory-360 --engine spark --at 3f2a9c"),
    "usecase show": ("usecase show fraud-detection --lang vi",),
    "usecase write": ("usecase write --to docs/usecases",),
    "up": ("up", "up connect trino", "up --for replication-lag"),
}


def add_examples(app: typer.Typer, folder: str = "") -> None:
    """Give every command of the application and of its groups its examples and exit codes for --help."""
    for command in app.registered_commands:
        assert command.callback is not None
        name = f"{folder} {command.name or command.callback.__name__}".strip()
        lines = [line if line.startswith("eval ") else f"lakeproof {line}" for line in EXAMPLES.get(name, ())]
        codes = () if "Exit " in (command.callback.__doc__ or "") else (EXIT_CODES,)
        # Typer shows a paragraph as one line.
        command.epilog = (
            "\n\n".join([*codes, "Examples:" if len(lines) > 1 else "Example:", *lines]) if lines else None
        )
    for group in app.registered_groups:
        assert group.typer_instance is not None
        add_examples(group.typer_instance, str(group.name))
