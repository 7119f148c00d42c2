// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.util.Collection;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Starts at the earliest event; later on, an offset that no longer exists stops the job.
 *
 * <p>Flink's own {@code earliest()} would go on with the oldest event that is left, and the gap (an emptied topic, a
 * retention shorter than an outage) would be a silent loss.
 */
final class EarliestThenExact implements OffsetsInitializer {
    private final OffsetsInitializer earliest = OffsetsInitializer.earliest();

    @Override
    public Map<TopicPartition, Long> getPartitionOffsets(
            Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
        return earliest.getPartitionOffsets(partitions, retriever);
    }

    @Override
    public OffsetResetStrategy getAutoOffsetResetStrategy() {
        return OffsetResetStrategy.NONE;
    }
}
