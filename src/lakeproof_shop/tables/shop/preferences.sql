-- What customers do not want: JSON, as PostgreSQL writes it.

CREATE TEMPORARY TABLE shop_preferences (
    customer_id BIGINT,
    opted_out STRING,
    version INT,
    updated_at TIMESTAMP(6),
    PRIMARY KEY (customer_id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'notification.preferences');

CREATE TABLE IF NOT EXISTS preferences (
    customer_id BIGINT,
    opted_out STRING,
    version INT,
    updated_at TIMESTAMP(6),
    PRIMARY KEY (customer_id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO preferences
SELECT customer_id, opted_out, version, updated_at
FROM shop_preferences;
