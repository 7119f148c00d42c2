// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.util.Collection;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Starts at the earliest event; later on, an offset that no longer exists stops the job where {@code onLostPlace} is NONE.
 *
 * <p>With EARLIEST, as Flink's own {@code earliest()}, it goes on with the oldest event that is left. The gap (an emptied
 * topic, a retention shorter than an outage) is a silent loss then, unless a repair has written before what it held.
 */
record EarliestThenExact(String onLostPlace) implements OffsetsInitializer {
    @Override
    public Map<TopicPartition, Long> getPartitionOffsets(
            Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
        return OffsetsInitializer.earliest().getPartitionOffsets(partitions, retriever);
    }

    @Override
    public OffsetResetStrategy getAutoOffsetResetStrategy() {
        return OffsetResetStrategy.valueOf(onLostPlace);
    }
}
