-- The attachments of the cases: names and places, not their bytes.

CREATE TEMPORARY TABLE shop_case_attachments (
    id BIGINT,
    case_id BIGINT,
    name STRING,
    content_type STRING,
    size BIGINT,
    sha256 STRING,
    file STRING,
    place STRING,
    created_at TIMESTAMP(6),
    archived_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'support.case_attachments');

CREATE TABLE IF NOT EXISTS case_attachments (
    id BIGINT,
    case_id BIGINT,
    name STRING,
    content_type STRING,
    size BIGINT,
    sha256 STRING,
    file STRING,
    place STRING,
    created_at TIMESTAMP(6),
    archived_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO case_attachments
SELECT id, case_id, name, content_type, size, sha256, file, place, created_at, archived_at
FROM shop_case_attachments;
