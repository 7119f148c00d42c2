"""The panels about the shop: its services' answers, notifications, support. The dashboard is put together in
dataflow_overview.py.
"""

from panels import lines, p95, share

ANSWERS = 'sum by (job) (rate(shop_http_requests_total{route!~"/health|/metrics"}[1m]))'
ANSWERS_5XX = 'sum by (job) (rate(shop_http_requests_total{status=~"5..", route!~"/health|/metrics"}[1m]))'
SHOP = (
    lines(
        "Requests",
        "Answers of each service, without health and metrics pages.",
        (ANSWERS, "{{job}}"),
        unit="reqps",
    ),
    lines(
        "Share of 5xx",
        "Of what a service answered in a minute.",
        (share(f"({ANSWERS_5XX} or 0 * {ANSWERS})", ANSWERS), "{{job}}"),
        unit="percentunit",
        limit=0.05,
    ),
    lines(
        "Checkouts",
        "Checkouts under way, by the step that comes next.",
        ("sum by (step) (shop_checkouts_open)", "{{step}}"),
    ),
    lines(
        "Inventory reservations",
        "Reservations that hold stock now.",
        ("sum(inventory_reservation_active_total)", "active"),
    ),
    lines(
        "Inventory expiries and refusals",
        "Reservations that ended by themselves in five minutes, and changes refused, such as for want of stock.",
        ("sum(increase(inventory_reservation_expired_total[5m]))", "expired in 5 min"),
        ("sum by (why) (increase(shop_inventory_refusals_total[5m]))", "refused in 5 min: {{why}}"),
    ),
    lines(
        "Reservation TTL",
        "How long a reservation lives, by the setting and by the table's default.",
        ("max by (source) (inventory_reservation_ttl_seconds)", "{{source}}"),
        unit="s",
    ),
    lines(
        "Fulfillment lag",
        "How late the latest parcel is that is not shipped (fulfillment_lag_minutes).",
        ("max(fulfillment_lag_minutes)", "lag"),
        unit="m",
        limit=10,
    ),
    lines(
        "Fulfillment backlog",
        "Labels that are not ready: pending ones and those of a rehearsal.",
        ("max(fulfillment_artifacts_backlog_objects)", "labels not ready"),
        ('sum by (prefix) (minio_objects{bucket="fulfillment-artifacts"})', "objects in {{prefix}}"),
    ),
    lines(
        "Fulfillment backlog bytes",
        "Bytes of the labels that are not ready.",
        ("max(fulfillment_artifacts_backlog_bytes)", "bytes"),
        unit="bytes",
    ),
)

NOTIFICATION = (
    lines(
        "Notification send rate",
        "Notifications sent and failed in a second, and the share that fails.",
        ("sum(rate(notification_sent_total[5m]))", "sent (/s)"),
        ("sum(rate(notification_failure_total[5m]))", "failed (/s)"),
        (
            share(
                "sum(rate(notification_failure_total[10m]))",
                "(sum(rate(notification_failure_total[10m])) + sum(rate(notification_sent_total[10m])))",
            ),
            "share that fails",
        ),
    ),
    lines(
        "Notification failure share",
        "Of the tries of ten minutes. Closed below 5 % for fifteen minutes.",
        (
            share(
                "sum(rate(notification_failure_total[10m]))",
                "(sum(rate(notification_failure_total[10m])) + sum(rate(notification_sent_total[10m])))",
            ),
            "share that fails",
        ),
        unit="percentunit",
        limit=0.2,
    ),
    lines(
        "Notification rate limited",
        "Sends that the limiter turned down, and sends that passed because Redis failed, in five minutes.",
        ("sum(increase(notification_rate_limited_total[5m]))", "rate limited"),
        ("sum by (operation) (increase(notification_rate_limit_errors_total[5m]))", "limiter error: {{operation}}"),
        limit=5,
    ),
    lines(
        "Notification drops by reason",
        "Notifications and events that will not be sent, in five minutes.",
        ("sum by (reason) (increase(notification_events_dropped_total[5m]))", "{{reason}}"),
    ),
    lines(
        "Opt-outs & preference updates",
        "Changes of customers' preferences in fifteen minutes.",
        ("sum(increase(notification_opt_out_total[15m]))", "opt-outs"),
        ("sum(increase(shop_notification_preference_updates_total[15m]))", "preference updates"),
        limit=20,
    ),
    lines(
        "Notification tries by channel",
        "Tries in a second, by channel and what came of them.",
        ("sum by (channel, outcome) (rate(shop_notification_tries_total[5m]))", "{{channel}} {{outcome}}"),
        unit="reqps",
    ),
    lines(
        "Notification send latency",
        "From handing a notification to the provider to its answer, 95th percentile.",
        (p95("notification_send_latency_seconds"), "p95"),
        unit="s",
    ),
)

SUPPORT = (
    lines(
        "Support timeline p95 latency",
        "Time to a timeline, by where it came from, and of all. Closed below 500 ms.",
        (p95("support_timeline_collect_seconds", "source"), "{{source}}"),
        (p95("support_timeline_collect_seconds"), "all"),
        unit="s",
        limit=2,
    ),
    lines(
        "Support timeline cache",
        "Looks into the cache in five minutes, by what came of them.",
        ("sum by (event) (increase(support_timeline_cache_events_total[5m]))", "{{event}}"),
    ),
    lines(
        "Support timeline failures",
        "Parts of timelines that failed in five minutes, by where.",
        ("sum by (stage) (increase(support_timeline_collection_failures_total[5m]))", "{{stage}}"),
        limit=1,
    ),
    lines(
        "Support timeline sources",
        "Time until one source told its part, 95th percentile.",
        (p95("support_timeline_source_seconds", "source"), "{{source}}"),
        unit="s",
    ),
    lines(
        "Support attachments",
        "Bytes in the attachments' folder.",
        ("sum(support_attachment_backlog_bytes)", "bytes"),
        unit="bytes",
        limit=15e9,
    ),
    lines(
        "Support attachment files",
        "Files in the attachments' folder.",
        ("sum(support_attachment_backlog_files)", "files"),
    ),
)
