-- The messages of the cases.

CREATE TEMPORARY TABLE shop_case_messages (
    id BIGINT,
    case_id BIGINT,
    author STRING,
    body STRING,
    `at` TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'support.case_messages');

CREATE TABLE IF NOT EXISTS case_messages (
    id BIGINT,
    case_id BIGINT,
    author STRING,
    body STRING,
    `at` TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO case_messages
SELECT id, case_id, author, body, `at`
FROM shop_case_messages;
