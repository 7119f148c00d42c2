"""Troubles as the probes show them: the one cause that each is called by, and what is read then."""

from tests.diagnosis.readings import (
    BEHIND,
    BROKEN_IN_LAKE,
    CHANGED_CONNECTOR,
    CONNECT_GONE,
    CUT_OFF,
    DATABASE_GONE,
    JOB_FAILS,
    JOB_GONE,
    JOB_WAITS,
    LIVENESS,
    LOCK_WAIT,
    NO_ANSWER,
    NOT_PUBLISHED,
    PARTIAL_ROWS,
    READ_ONLY,
    REFUSALS_UNSEEN,
    REFUSED_VALUE,
    RESTARTS_UNSEEN,
    STARVED,
    STOPPED,
    TOPIC_GAP,
    TOPICS_UNKNOWN,
    gone,
    of_shop,
)

from lakeproof.probes.reading import Value

STATES: list[tuple[str, dict[str, Value]]] = [
    ("reservation_ttl_shortened", {"reservation-ttl-shortfall": 295.0}),
    *(
        (f"{node.replace('-', '_')}_emptied", {**gone(node, "refused"), f"{node}-data": "gone"})
        for node in ("cassandra-seed", "cassandra-node2", "cassandra-node3")
    ),
    ("reservation_setting_too_low", {"reservation-setting-shortfall": 270.0}),
    (
        "mail_refused",
        {
            "provider-answer": "451 4.7.1 over the limit",
            "notification-failure-share": 80.0,
            "notification-service-refusals": 40.0,
        },
    ),
    ("campaign_over_limit", {"campaign-turned-down": "5a0c: 12 turned down"}),
    ("events_reshaped", {"event-shapes": "payment: 23 payment.captured lack order_id and have order"}),
    ("campaign_unwelcome", {"campaign-opt-outs": "5a0c: 40 opted out"}),
    ("labels_held", {"fulfillment-lag": 30.0, "labels-held": 3}),
    ("ready_refused", {"labels-ready-writes": "ExistingObjectIsDirectory", "fulfillment-lag": 12.0}),
    # Before any parcel is late for ten minutes.
    ("pending_refused", {"labels-pending-writes": "refuses writes"}),
    # Where the store takes no writes at all, that it takes none there is no second cause.
    (
        "store_not_writable",
        {
            **READ_ONLY,
            "labels-ready-writes": "refuses writes",
            "labels-pending-writes": "refuses writes",
            "lake-writes": "lake/wh/: refuses writes",
        },
    ),
    # The store takes writes elsewhere: no restart of the JobManager or the publisher opens a folder.
    ("lake_folder_closed", {"lake-writes": "lake/wh/: refuses writes", **JOB_FAILS}),
    ("lake_folder_closed", {"lake-writes": "lake/wh/: refuses writes", "oltp-publisher-status": "degraded"}),
    (
        "lake_folder_closed",
        {
            "lake-writes": "flink/checkpoints/: ExistingObjectIsDirectory",
            "oltp-checkpoint-age": 70.0,
            **NOT_PUBLISHED,
        },
    ),
    (
        "resource_group_full",
        {
            "trino-queued": 9,
            "trino-oldest-query": 40.0,
            "trino-longest-wait": 38.0,
            "trino-queries-by-user": "analyst in people.analyst: 3 run, 9 wait",
        },
    ),
    ("resource_group_full", {"trino-queued": 1, "trino-oldest-query": 900.0, "trino-longest-wait": 310.0}),
    ("timeline_source_late", {"support-late-sources": "fulfillment-service", "support-timeline-p95": 2.9}),
    ("timeline_source_late", {"support-late-sources": "order-service payment-service"}),
    # Its calls are slow by the same road.
    (
        "timeline_source_late",
        {
            "support-late-sources": "order-service",
            "support-slow-sources": "order-service",
            "support-timeline-p95": 2.9,
        },
    ),
    ("timeline_source_slow", {"support-slow-sources": "order-service", "support-timeline-p95": 2.4}),
    ("attachments_pile_up", {"support-attachment-folder": "grows by 7.2 GB an hour"}),
    ("redis_full", {"redis-room": "full: 67.1 of 67.1 MB used, 18 keys that never end"}),
    # It answers nobody: then it is not late for support alone.
    # A source that hangs, or whose database does, is slow in each call too, and not to be switched off.
    (
        "fulfillment_service_hung",
        {
            **gone("fulfillment-service", "silent"),
            "support-timeline-p95": 2.9,
            "support-slow-sources": "fulfillment-service",
        },
    ),
    ("mysql_hung", {"mysql-answers": "silent", "support-slow-sources": "order-service"}),
    # Somebody told it to end, and it waits for its last client: a restart helps, and no waiting.
    ("postgres_unhealthy", {"postgres-answers": "shuts down"}),
    ("postgres_hung", {"postgres-answers": "silent", "support-slow-sources": "payment-service fulfillment-service"}),
    ("redis_hung", {"redis-answers": "silent", "support-timeline-p95": 2.2}),
    (
        "mysql_sessions_leaked",
        {
            "mysql-connections": 100.0,
            "mysql-idle-account": 97.5,
            "mysql-answers": "error 1040",
            "order-service-ready": "/health says 503: mysql",
            **DATABASE_GONE,
            **BEHIND,
        },
    ),
    ("mysql_session_blocks", {"mysql-lock-waiters": 150, "mysql-connections": 100.0, "mysql-answers": "error 1040"}),
    ("mysql_session_blocks", {"mysql-lock-waiters": 7}),
    # The heartbeat's row is among those that it holds.
    (
        "mysql_session_blocks",
        {"mysql-lock-waiters": 7, "oltp-heartbeat-age": 40.0, "oltp-ticker": LOCK_WAIT, **BEHIND},
    ),
    (
        "mysql_session_blocks",
        {"mysql-lock-waiters": 7, "oltp-heartbeat-age": 40.0, "oltp-ticker": NO_ANSWER, **BEHIND},
    ),
    ("postgres_session_blocks", {"postgres-lock-waiters": 90, "postgres-connections": 92.0}),
    # Its last logins were turned away, and some sessions have ended since.
    ("postgres_sessions_leaked", {"postgres-idle-account": 80.0, "postgres-answers": "error 53300"}),
    # Others hold the administrator's places too, and nobody can be asked who holds the rest (seen in a drill).
    (
        "postgres_sessions_leaked",
        {
            "postgres-connections": 100.0,
            "postgres-answers": "error 53300",
            **dict.fromkeys(("postgres-idle-account", "postgres-accounts", "event-shapes"), NO_ANSWER),
        },
    ),
    # Before the server is full.
    ("mysql_sessions_leaked", {"mysql-connections": 92.5, "mysql-idle-account": 88.0}),
    (
        "postgres_sessions_leaked",
        {
            "postgres-connections": 97.0,
            "postgres-idle-account": 80.0,
            "postgres-answers": "error 53300",
            "payment-service-ready": "/health says 503: postgres",
        },
    ),
    (
        "taskmanager_starved",
        {
            **STARVED,
            "oltp-topic-unread": 24_000,
            "oltp-checkpoint-age": 44.0,
            "oltp-checkpoints-failed": 3,
            **NOT_PUBLISHED,
        },
    ),
    # It missed heartbeats, and both questions to it came too late.
    (
        "taskmanager_starved",
        {**STARVED, **gone("flink-taskmanager", "silent"), **JOB_FAILS, **of_shop(JOB_FAILS)},
    ),
    (
        "store_late",
        {"taskmanager-store-delay": 1.03, "oltp-topic-unread": 31_000, "oltp-checkpoint-age": 45.0, **NOT_PUBLISHED},
    ),
    ("store_late", {"taskmanager-store-delay": 1.03, **JOB_FAILS, **NOT_PUBLISHED}),
    ("taskmanager_starved", STARVED),
    (
        "taskmanager_throttled",
        {
            "taskmanager-throttled": 90.0,
            "taskmanager-cpu": 9.0,
            "oltp-topic-unread": 24_000,
            "oltp-checkpoint-age": 44.0,
            "lake-backlog": 24_000.0,
            **NOT_PUBLISHED,
        },
    ),
    ("taskmanager_starved", {**STARVED, "taskmanager-stopped": 100.0}),  # it ran between two looks only
    ("paused_connector", {"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED", **BEHIND}),
    ("stopped_connector", {"oltp-connector-state": "STOPPED", "oltp-task-state": None, **BEHIND}),
    ("deleted_connector", {"oltp-connector-state": None, "oltp-task-state": None, **BEHIND}),
    (
        "connector_login_rejected",
        {
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "login rejected",
            "oltp-capture-login": "rejected",
            "oltp-missing-privileges": NO_ANSWER,
            **BEHIND,
        },
    ),
    ("connector_login_rejected", {"oltp-capture-login": "rejected", "oltp-missing-privileges": NO_ANSWER, **BEHIND}),
    # Before the task notices: this stack's Connect has the password that was tried.
    ("connector_login_rejected", {"oltp-capture-login": "rejected"}),
    ("connector_login_rejected", {"oltp-capture-login": "lakeproof.toml's is rejected", **BEHIND}),
    (
        "connector_grant_lost",
        {"oltp-task-state": "FAILED", "oltp-task-failure": "no privilege", "oltp-missing-privileges": 1, **BEHIND},
    ),
    *(
        (
            "server_id_taken",
            {
                "oltp-task-state": "FAILED",
                "oltp-task-failure": "server id taken",
                "mysql-binlog-readers": account,
                **BEHIND,
            },
        )
        for account in ("report", "cdc")
    ),
    (
        "failed_task",
        {
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "server id taken",
            "mysql-binlog-readers": "none",
            **BEHIND,
        },
    ),
    ("failed_task", {"oltp-task-state": "FAILED", "oltp-task-failure": "login rejected", **BEHIND}),
    (
        "unread_schema",
        {
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "schema",
            "oltp-task-error": "io.debezium.text.ParsingException: DDL statement couldn't be parsed",
            **BEHIND,
        },
    ),
    (
        "connector_changed",
        {**CHANGED_CONNECTOR, "oltp-task-state": "FAILED", "oltp-task-failure": "schema", **BEHIND},
    ),
    ("connect_hung", {**gone("connect", "silent"), **CONNECT_GONE, **BEHIND}),
    ("connect_down", {**gone("connect", "refused"), **CONNECT_GONE, **BEHIND}),
    ("mysql_down", {"mysql-answers": "refused", **DATABASE_GONE, **BEHIND}),
    (
        "mysql_hung",
        {
            "mysql-answers": "silent",
            "order-service-ready": "/health says 503: mysql",
            "order-service-refusals": 100.0,
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "no database",
            **DATABASE_GONE,
            **BEHIND,
        },
    ),
    ("mysql_unhealthy", {"mysql-answers": "error 1040", **DATABASE_GONE}),
    (
        "kafka_down",
        {
            "broker-answers": "refused",
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            **TOPICS_UNKNOWN,
            "oltp-source-lag": 40_000,
            "connect-ready": "/health answered 503",
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "other",
            **JOB_FAILS,
        },
    ),
    (
        "kafka_hung",
        {
            "broker-answers": "silent",
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            **TOPICS_UNKNOWN,
            **CONNECT_GONE,
            **JOB_FAILS,
        },
    ),
    (
        "hanging_transaction",
        {"open-transaction": 130.0, "oltp-connector-state": "UNASSIGNED", **BEHIND, **NOT_PUBLISHED},
    ),
    # Connect calls it RUNNING, on a worker that is gone or was started anew.
    ("stalled_task", {"oltp-task-worker": "gone", **BEHIND}),
    ("stalled_task", BEHIND),
    ("shop_stalled_task", of_shop(BEHIND)),
    # It stood still in the middle of a large transaction: to wait for its end would not help.
    ("stalled_task", {"oltp-transaction-rows": 41_000, **BEHIND}),
    ("connect_2_down", {"connect-2-answers": "refused", "oltp-task-worker": "gone", **BEHIND}),
    ("ticker_stopped", {"oltp-heartbeat-age": 40.0, **BEHIND}),
    ("unannounced_column", {"oltp-unexpected-columns": "oltp.orders.unannounced", "oltp-fields-left-out": 1}),
    # Seen before any row was changed since.
    ("unannounced_column", {"oltp-unexpected-columns": "oltp.orders.unannounced"}),
    ("shop_unannounced_column", {"shop-unexpected-columns": "payment.payments.x"}),
    (
        "lag_exporter_down",
        {"oltp-heartbeat-age": 40.0, **gone("lag-exporter", "refused"), "oltp-source-lag": NO_ANSWER},
    ),
    (
        "minio_down",
        {**gone("minio", "refused"), "store-writes": NO_ANSWER, **JOB_FAILS, "oltp-publisher-status": "degraded"},
    ),
    ("prometheus_hung", {**gone("prometheus", "silent"), **REFUSALS_UNSEEN, **RESTARTS_UNSEEN}),
    ("prometheus_down", {**gone("prometheus", "refused"), **REFUSALS_UNSEEN, **RESTARTS_UNSEEN}),
    # Looked at while it was well, while it was down, and while it started.
    ("order_service_restarting", {"order-service-restarts": 5}),
    ("order_service_restarting", {"order-service-restarts": 5, **gone("order-service", "refused")}),
    ("order_service_restarting", {"order-service-restarts": 5, "order-service-ready": "/health says 503: mysql"}),
    ("nessie_restarting", {"nessie-restarts": 4, **gone("nessie", "refused"), "oltp-publisher-status": "degraded"}),
    ("postgres_restarting", {"postgres-restarts": 3, "postgres-answers": "starting"}),
    # The supervisor ends a TaskManager with its JobManager, and what stands on another one may end by that.
    (
        "flink_jobmanager_restarting",
        {"flink-jobmanager-restarts": 4, "flink-taskmanager-restarts": 4, **gone("flink-taskmanager", "refused")},
    ),
    ("kafka_down", {"broker-answers": "refused", **TOPICS_UNKNOWN, "connect-restarts": 4, "connect-ready": "503"}),
    # It was killed twice, and is back.
    ("connect_2_down", {"connect-2-answers": "refused", "connect-2-restarts": 2}),
    (
        "postgres_starting",
        {
            "postgres-answers": "starting",
            "payment-service-ready": "/health says 503: postgres",
            "payment-service-refusals": 100.0,
            **of_shop(DATABASE_GONE, {"shop-slot-state": NO_ANSWER, "oltp-task-state": "FAILED"}, BEHIND),
        },
    ),
    ("redis_starting", {"redis-answers": "starting", "redis-room": NO_ANSWER, "support-timeline-p95": 2.2}),
    # Shop and capture have logins of their own.
    (
        "mysql_login_rejected",
        {
            "mysql-answers": "rejected",
            **DATABASE_GONE,
            "oltp-capture-login": "accepted",
            "oltp-missing-privileges": 0,
        },
    ),
    ("postgres_login_rejected", {"postgres-answers": "rejected", "shop-heartbeat-age": NO_ANSWER}),
    ("redis_login_rejected", {"redis-answers": "rejected", "redis-room": NO_ANSWER}),
    (
        "inventory_service_unhealthy",
        {"inventory-service-ready": "/health says 503: cassandra", "inventory-service-refusals": 80.0},
    ),
    (
        "minio_hung",
        {
            **gone("minio", "silent"),
            "store-writes": NO_ANSWER,
            **JOB_FAILS,
            "oltp-publisher-status": "stuck",
            "publisher-ready": "503",
        },
    ),
    (
        "flink_jobmanager_down",
        {
            **gone("flink-jobmanager", "refused"),
            **gone("flink-taskmanager", "refused"),
            **JOB_GONE,
            **NOT_PUBLISHED,
        },
    ),
    (
        # One that was started meanwhile waits for it.
        "flink_jobmanager_down",
        {
            **gone("flink-jobmanager", "refused"),
            "flink-taskmanager-ready": "waits for the JobManager",
            **JOB_GONE,
            **NOT_PUBLISHED,
        },
    ),
    ("flink_jobmanager_hung", {**gone("flink-jobmanager", "silent"), **JOB_GONE, **NOT_PUBLISHED}),
    ("flink_taskmanager_hung", {**gone("flink-taskmanager", "silent"), **STOPPED, **JOB_FAILS}),
    ("flink_taskmanager_down", {**gone("flink-taskmanager", "refused"), **JOB_FAILS}),
    (
        "nessie_down",
        {**gone("nessie", "refused"), "oltp-publisher-status": "degraded", "oltp-publish-age": NO_ANSWER},
    ),
    ("publisher_hung", {**gone("publisher", "silent"), "oltp-publisher-status": NO_ANSWER, **NOT_PUBLISHED}),
    (
        "job_missing",
        {
            "oltp-job-state": None,
            "oltp-job-restarts": None,
            "oltp-refused-value": None,
            "oltp-topic-gap": None,
            "oltp-checkpoint-age": None,
            **NOT_PUBLISHED,
        },
    ),
    ("job_ended", {"oltp-job-state": "ended", "oltp-checkpoint-age": 70.0, **NOT_PUBLISHED}),
    ("job_restarting", JOB_FAILS),
    # Both looks fell between two restarts; its checkpoints are overdue for the same reason.
    ("job_restarting", {**JOB_FAILS, "oltp-job-state": "running"}),
    # The least that counts.
    ("job_restarting", {"oltp-job-failures": 2}),
    ("unreadable_value", {**JOB_FAILS, **REFUSED_VALUE}),
    # Both looks fell between two restarts, and the column has its type back: the record is still in the topic.
    (
        "unreadable_value",
        {**JOB_FAILS, **REFUSED_VALUE, "oltp-job-state": "running", "oltp-unreadable-columns": "none"},
    ),
    ("topic_gap", {**JOB_FAILS, **TOPIC_GAP}),
    ("topic_gap", {**JOB_FAILS, **TOPIC_GAP, "oltp-job-state": "running"}),
    # Its repair brings what an audit found missing as well.
    ("topic_gap", {**JOB_FAILS, **TOPIC_GAP, **BROKEN_IN_LAKE}),
    ("shop_topic_gap", of_shop(JOB_FAILS, TOPIC_GAP)),
    ("shop_topic_gap", of_shop(CUT_OFF)),
    # Its repair was cut off: the job is well, or ended, or gone, and the connector stopped.
    ("topic_gap", CUT_OFF),
    ("topic_gap", {**CUT_OFF, "oltp-job-state": "ended", "oltp-checkpoint-age": 70.0}),
    (
        "topic_gap",
        {
            **CUT_OFF,
            "oltp-job-state": None,
            "oltp-job-restarts": None,
            "oltp-refused-value": None,
            "oltp-checkpoint-age": None,
        },
    ),
    ("shop_unreadable_value", of_shop(JOB_FAILS, REFUSED_VALUE)),
    ("changed_column", {"oltp-unreadable-columns": "oltp.orders.total"}),
    ("connector_changed", CHANGED_CONNECTOR),
    # An audit tells it as well, and the task may fail by it: its repair brings all of it.
    ("connector_changed", {**CHANGED_CONNECTOR, **BROKEN_IN_LAKE, **NOT_PUBLISHED}),
    (
        "connector_changed",
        {**CHANGED_CONNECTOR, "oltp-task-state": "FAILED", "oltp-task-failure": "other", **BEHIND},
    ),
    # Its records did not come into the topic whole: the job stopped, and its repair gives the configuration back too.
    ("topic_gap", {**JOB_FAILS, **TOPIC_GAP, **CHANGED_CONNECTOR}),
    ("shop_connector_changed", of_shop(CHANGED_CONNECTOR)),
    ("log_changed", {"oltp-log-lacks": "binlog_row_image=MINIMAL"}),
    ("log_changed", {**PARTIAL_ROWS, "oltp-log-lacks": "binlog_row_image=MINIMAL", **BEHIND}),
    # Somebody has set it right: what is in the binlog stays there.
    ("log_changed", {**PARTIAL_ROWS, **BEHIND}),
    ("shop_log_changed", {"shop-log-lacks": "payment.payments: not published"}),
    ("topic_changed", {"oltp-topic-changes": "cdc.oltp: retention.ms=1000"}),
    (
        "topic_changed",
        {
            "oltp-topic-changes": "cdc.oltp: max.message.bytes=100",
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "too large",
            **BEHIND,
        },
    ),
    ("topic_changed", {"oltp-topic-changes": "cdc.oltp: no such topic", "oltp-transaction-rows": None, **BEHIND}),
    ("shop_topic_changed", {"shop-topic-changes": "cdc.shop: no such topic"}),
    # The job finds its place gone as well; no bridge writes into a topic that is not right.
    (
        "topic_changed",
        {**JOB_FAILS, **TOPIC_GAP, "oltp-topic-changes": "cdc.oltp: retention.ms=1000, cdc.oltp: made anew"},
    ),
    # The job goes on where it stood in the topic of before, and says nothing.
    ("topic_gap", {"oltp-topic-changes": "cdc.oltp: made anew"}),
    ("shop_topic_gap", {"shop-topic-changes": "cdc.shop: made anew"}),
    ("other_topic_changed", {"other-topic-changes": "events.payment: retention.ms=1000"}),
    ("binlog_purged", {"oltp-task-state": "FAILED", "oltp-task-failure": "position lost", **BEHIND}),
    ("large_transaction", {"oltp-transaction-rows": 41_000, "oltp-source-lag": 42_000}),
    ("shop_large_transaction", {"shop-transaction-rows": 41_000}),
    ("missing_column", {"oltp-missing-columns": "oltp.orders.total"}),
    ("shop_missing_column", {"shop-missing-columns": "payment.payments.amount"}),
    # Two renamed columns of one table: what is unexpected there holds what is missing, and may not be dropped.
    (
        "missing_column",
        {
            "oltp-missing-columns": "oltp.order_items.quantity oltp.order_items.sku",
            "oltp-unexpected-columns": "oltp.order_items.pieces oltp.order_items.sku_code",
        },
    ),
    ("renamed_column", {"oltp-renamed-columns": "oltp.orders.total→sum"}),
    ("shop_renamed_column", {"shop-renamed-columns": "payment.payments.amount→sum"}),
    ("shop_changed_column", {"shop-unreadable-columns": "payment.payments.amount"}),
    ("job_restarting", JOB_WAITS),
    # It was given up after its last failures.
    ("job_ended", {**JOB_FAILS, "oltp-job-state": "ended"}),
    # A new job is not there yet, and Flink has forgotten the failures of the old one.
    ("job_missing", {**JOB_FAILS, "oltp-job-state": None, "oltp-job-failures": None, "oltp-job-exception": None}),
    ("store_not_writable", READ_ONLY),
    ("store_not_writable", {**READ_ONLY, **JOB_FAILS, "oltp-publisher-status": "degraded"}),
    # One small object fits just then, and the next one does not.
    ("store_full", {"store-free-megabytes": 0.0, "lake-writes": "lake/wh/: full", "labels-pending-writes": "full"}),
    ("store_full", {"store-writes": "full", "oltp-checkpoint-age": 70.0, "oltp-checkpoints-failed": 9}),
    (
        "store_full",
        {"store-writes": "full", "store-other-buckets": "dump: 64 MB", "store-free-megabytes": 0.0, **NOT_PUBLISHED},
    ),
    # The job has just deleted what it could not complete.
    ("store_full", {"store-free-megabytes": 1.2, **JOB_FAILS, "oltp-publisher-status": "degraded"}),
    ("store_full", {"store-free-megabytes": 1.2, **NOT_PUBLISHED}),
    (
        "store_not_writable",
        {
            "store-writes": "InternalError",
            "support-service-refusals": 30.0,
            "oltp-job-state": None,
            **of_shop(JOB_FAILS, {"oltp-publisher-status": "degraded", "oltp-job-state": "ended"}),
        },
    ),
    (
        "minio_unhealthy",
        {
            **READ_ONLY,
            "minio-ready": "no answer to a signed request",
            **JOB_FAILS,
            "oltp-publisher-status": "degraded",
        },
    ),
    ("checkpoints_failing", {"oltp-checkpoint-age": 70.0, "oltp-checkpoints-failed": 9, **NOT_PUBLISHED}),
    ("publishing_frozen", {"oltp-publisher-status": "frozen", **NOT_PUBLISHED}),
    ("broken_in_lake", BROKEN_IN_LAKE),
    # A finding of MariaDB's tables keeps PostgreSQL's as they are, too.
    (
        "broken_in_lake",
        {**BROKEN_IN_LAKE, **NOT_PUBLISHED, **of_shop({"oltp-publisher-status": "frozen"}, NOT_PUBLISHED)},
    ),
    ("shop_broken_in_lake", {"shop-audit-finding": "1 broken at 0e4bba86f785f463 and whole in the source"}),
    ("publishing_failing", {"oltp-publisher-status": "degraded", **NOT_PUBLISHED}),
    ("main_written", {"main-author": "somebody", "oltp-publisher-status": "degraded", **NOT_PUBLISHED}),
    (
        "main_written",
        {"main-author": "ann", "oltp-publisher-status": "degraded", "shop-publisher-status": "degraded"},
    ),
    ("main_moved", {"main-last-merge": "lost", "oltp-publisher-status": "degraded", **NOT_PUBLISHED}),
    ("shop_paused_connector", of_shop({"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED"}, BEHIND)),
    ("shop_stopped_connector", of_shop({"oltp-connector-state": "STOPPED", "oltp-task-state": None}, BEHIND)),
    ("shop_deleted_connector", of_shop({"oltp-connector-state": None, "oltp-task-state": None}, BEHIND)),
    (
        "shop_connector_login_rejected",
        of_shop({"oltp-capture-login": "rejected", "oltp-task-state": "FAILED"}, BEHIND),
    ),
    ("shop_connector_grant_lost", of_shop({"oltp-missing-privileges": 1, "oltp-task-state": "FAILED"}, BEHIND)),
    ("shop_unread_schema", of_shop({"oltp-task-state": "FAILED", "oltp-task-failure": "schema"}, BEHIND)),
    ("shop_failed_task", of_shop({"oltp-task-state": "FAILED", "oltp-task-failure": "no database"}, BEHIND)),
    ("shop_ticker_stopped", of_shop({"oltp-heartbeat-age": 40.0}, BEHIND)),
    (
        "shop_slot_lost",
        of_shop(
            {"shop-slot-state": "lost", "oltp-task-state": "FAILED", "oltp-task-failure": "position lost"}, BEHIND
        ),
    ),
    (
        "shop_slot_missing",
        of_shop({"shop-slot-state": None, "oltp-task-state": "FAILED", "oltp-task-failure": "other"}, BEHIND),
    ),
    (
        "postgres_down",
        {
            "postgres-answers": "refused",
            "payment-service-ready": "/health says 503: postgres",
            **of_shop(DATABASE_GONE, {"shop-slot-state": NO_ANSWER, "oltp-task-state": "FAILED"}, BEHIND),
        },
    ),
    ("shop_job_missing", of_shop({"oltp-job-state": None, "oltp-checkpoint-age": None}, NOT_PUBLISHED)),
    ("shop_job_ended", of_shop({"oltp-job-state": "ended", "oltp-checkpoint-age": 70.0}, NOT_PUBLISHED)),
    ("shop_job_restarting", of_shop(JOB_FAILS)),
    ("shop_job_restarting", of_shop(JOB_WAITS)),
    ("shop_checkpoints_failing", of_shop({"oltp-checkpoint-age": 70.0, "oltp-checkpoints-failed": 9}, NOT_PUBLISHED)),
    ("shop_publishing_frozen", of_shop({"oltp-publisher-status": "frozen"}, NOT_PUBLISHED)),
    ("shop_publishing_failing", of_shop({"oltp-publisher-status": "degraded"}, NOT_PUBLISHED)),
    # Stopped by hand: its stop stops connector and job.
    (
        "shop_capture_down",
        {
            **gone("shop-capture", "refused"),
            **of_shop(
                {"oltp-source-lag": NO_ANSWER, "oltp-heartbeat-age": 40.0, "oltp-topic-silence": 40.0},
                {
                    "oltp-connector-state": "STOPPED",
                    "oltp-task-state": None,
                    "oltp-job-state": "ended",
                    "oltp-checkpoint-age": 70.0,
                },
                NOT_PUBLISHED,
            ),
        },
    ),
    # Trouble of what both stand on, and of the other one alone.
    (
        "connect_down",
        {**gone("connect", "refused"), **CONNECT_GONE, **BEHIND, **of_shop(CONNECT_GONE, BEHIND)},
    ),
    (
        "kafka_down",
        {
            "broker-answers": "refused",
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            **JOB_FAILS,
            **of_shop(
                {"oltp-topic-silence": NO_ANSWER, "oltp-source-lag": 40_000, "oltp-task-state": "FAILED"}, JOB_FAILS
            ),
        },
    ),
    ("flink_taskmanager_down", {**gone("flink-taskmanager", "refused"), **JOB_FAILS, **of_shop(JOB_FAILS)}),
    (
        "hanging_transaction",
        {
            "open-transaction": 130.0,
            **of_shop({"oltp-connector-state": "UNASSIGNED"}, BEHIND, NOT_PUBLISHED),
        },
    ),
    (
        "nothing_runs",
        {
            **{key: value for name in LIVENESS for key, value in gone(name, "refused").items()},
            **of_shop(
                CONNECT_GONE, DATABASE_GONE, JOB_GONE, {"shop-slot-state": NO_ANSWER, "oltp-source-lag": NO_ANSWER}
            ),
            **CONNECT_GONE,
            **DATABASE_GONE,
            **JOB_GONE,
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            "oltp-source-lag": NO_ANSWER,
            "oltp-publisher-status": NO_ANSWER,
            "oltp-publish-age": NO_ANSWER,
            "store-writes": NO_ANSWER,
            **REFUSALS_UNSEEN,
        },
    ),
]
