-- What happened to the parcels, append-only. No primary key on purpose: a second row of the same event must be seen.

CREATE TEMPORARY TABLE shop_fulfillment_events (
    id BIGINT,
    fulfillment_id BIGINT,
    version INT,
    `type` STRING,
    `at` TIMESTAMP(6)
) WITH ('connector' = 'transaction-aligner', 'table' = 'fulfillment.fulfillment_events', 'mode' = 'append');

CREATE TABLE IF NOT EXISTS fulfillment_events (
    id BIGINT,
    fulfillment_id BIGINT,
    version INT,
    `type` STRING,
    `at` TIMESTAMP(6)
) WITH ('bucket' = '-1');

INSERT INTO fulfillment_events
SELECT id, fulfillment_id, version, `type`, `at`
FROM shop_fulfillment_events;
