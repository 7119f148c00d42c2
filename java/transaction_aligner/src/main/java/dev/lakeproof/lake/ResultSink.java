// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.io.IOException;
import java.util.Arrays;
import java.util.Properties;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.streaming.connectors.kafka.partitioner.FlinkKafkaPartitioner;

/**
 * Writes to the result topics as soon as the aligner passes a transaction on, at least once: a checkpoint waits until
 * Kafka has everything before it, and what came after is written again from there.
 *
 * <p>Kafka's own sink keeps state that only exactly-once needs. This one gives its writer alone, without state, so that a
 * job with result topics and one without restore from each other's checkpoints.
 */
final class ResultSink implements Sink<Tuple4<String, Integer, byte[], byte[]>> {
    private final KafkaSink<Tuple4<String, Integer, byte[], byte[]>> kafka;

    ResultSink(String brokers) {
        Properties producer = new Properties();
        producer.setProperty("linger.ms", "5");
        kafka = KafkaSink.<Tuple4<String, Integer, byte[], byte[]>>builder()
                .setBootstrapServers(brokers)
                .setKafkaProducerConfig(producer)
                .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                .setRecordSerializer(KafkaRecordSerializationSchema.<Tuple4<String, Integer, byte[], byte[]>>builder()
                        .setTopicSelector(record -> record.f0)
                        .setPartitioner(new Partitioner())
                        .setKeySerializationSchema(record -> record.f2)
                        .setValueSerializationSchema(record -> record.f3)
                        .build())
                .build();
    }

    @Override
    public SinkWriter<Tuple4<String, Integer, byte[], byte[]>> createWriter(InitContext context) throws IOException {
        return kafka.createWriter(context);
    }

    /** By the record's own partition, else by its key. */
    private static final class Partitioner extends FlinkKafkaPartitioner<Tuple4<String, Integer, byte[], byte[]>> {
        @Override
        public int partition(
                Tuple4<String, Integer, byte[], byte[]> record, byte[] key, byte[] value, String topic, int[] all) {
            return all[(record.f1 >= 0 ? record.f1 : Arrays.hashCode(key) & Integer.MAX_VALUE) % all.length];
        }
    }
}
