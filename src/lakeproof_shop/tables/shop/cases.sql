-- Support cases as they are now.

CREATE TEMPORARY TABLE shop_cases (
    id BIGINT,
    customer_id BIGINT,
    order_id BIGINT,
    subject STRING,
    status STRING,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'support.cases');

CREATE TABLE IF NOT EXISTS cases (
    id BIGINT,
    customer_id BIGINT,
    order_id BIGINT,
    subject STRING,
    status STRING,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO cases
SELECT id, customer_id, order_id, subject, status, version, created_at, updated_at
FROM shop_cases;
