// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.util.Collection;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Starts at the earliest event; later on, an offset that no longer exists stops the job, unless all is passed over anyway.
 * To go on with the oldest event that is left, as Flink's own {@code earliest()} does, would be a silent loss.
 */
record EarliestThenExact(boolean passOver) implements OffsetsInitializer {
    @Override
    public Map<TopicPartition, Long> getPartitionOffsets(
            Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
        return OffsetsInitializer.earliest().getPartitionOffsets(partitions, retriever);
    }

    @Override
    public OffsetResetStrategy getAutoOffsetResetStrategy() {
        return passOver ? OffsetResetStrategy.EARLIEST : OffsetResetStrategy.NONE;
    }
}
