-- Messages to customers as they are now, with the sender's own columns. A UUID is text.

CREATE TEMPORARY TABLE shop_notifications (
    id STRING,
    customer_id BIGINT,
    channel STRING,
    recipient STRING,
    subject STRING,
    body STRING,
    topic STRING,
    batch_id STRING,
    status STRING,
    reason STRING,
    attempts INT,
    version INT,
    claim STRING,
    due_at TIMESTAMP(6),
    trace_id STRING,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    sent_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'notification.notifications');

CREATE TABLE IF NOT EXISTS notifications (
    id STRING,
    customer_id BIGINT,
    channel STRING,
    recipient STRING,
    subject STRING,
    body STRING,
    topic STRING,
    batch_id STRING,
    status STRING,
    reason STRING,
    attempts INT,
    version INT,
    claim STRING,
    due_at TIMESTAMP(6),
    trace_id STRING,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    sent_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO notifications
SELECT id, customer_id, channel, recipient, subject, body, topic, batch_id, status, reason, attempts, version,
    claim, due_at, trace_id, created_at, updated_at, sent_at
FROM shop_notifications;
