-- What happened to the cases, append-only. No primary key on purpose: a second row of the same event must be seen.

CREATE TEMPORARY TABLE shop_case_events (
    id BIGINT,
    case_id BIGINT,
    version INT,
    `type` STRING,
    `at` TIMESTAMP(6)
) WITH ('connector' = 'transaction-aligner', 'table' = 'support.case_events', 'mode' = 'append');

CREATE TABLE IF NOT EXISTS case_events (
    id BIGINT,
    case_id BIGINT,
    version INT,
    `type` STRING,
    `at` TIMESTAMP(6)
) WITH ('bucket' = '-1');

INSERT INTO case_events
SELECT id, case_id, version, `type`, `at`
FROM shop_case_events;
