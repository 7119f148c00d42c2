-- Orders as a customer's desk reads them, by customer: topic results.orders_by_customer, for the projector.
-- Its columns are those of oltp.orders. Its primary key is the key of the records, by which Kafka compacts the topic.

CREATE TEMPORARY TABLE orders_by_customer (
    customer_id BIGINT,
    id BIGINT,
    status STRING,
    total DECIMAL(12, 2),
    item_count INT,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (customer_id, id) NOT ENFORCED
) WITH ('connector' = 'result-topic', 'table' = 'oltp.orders', 'beat' = 'oltp.cdc_heartbeat.beat_us');
