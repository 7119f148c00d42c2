-- The newest beat of the source's clock that reached the lake, and the transaction that wrote it. One row.
-- The publisher reads both from the file's statistics, hence stats-mode full (16 characters by default).
-- "Published state H covers instant T" means: beat_us at H is at or after T.

CREATE TEMPORARY TABLE oltp_cdc_heartbeat (
    id INT,
    beat_us BIGINT,
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'oltp.cdc_heartbeat');

CREATE TABLE IF NOT EXISTS cdc_heartbeat (
    id INT,
    beat_us BIGINT,
    gtid STRING,
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '1',
    'fields.gtid.stats-mode' = 'full',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO cdc_heartbeat
SELECT id, beat_us, __gtid
FROM oltp_cdc_heartbeat;
