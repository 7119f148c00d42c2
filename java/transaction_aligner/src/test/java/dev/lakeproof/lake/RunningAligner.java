// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.metrics.util.TestingMetricRegistry;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.api.operators.ProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/** The operator over orders, their events and a result topic, in Flink's own harness. */
final class RunningAligner implements AutoCloseable {
    static final long LARGE = 1L << 20;
    static final CapturedTable ORDERS = Events.orders();
    static final CapturedTable EVENTS = Events.orderEvents();

    private final Map<String, Metric> metrics = new HashMap<>();
    private OneInputStreamOperatorTestHarness<byte[], Void> harness;

    void start() throws Exception {
        start(true, true, LARGE);
    }

    void start(boolean align, boolean dropRepeats, long maxBytes) throws Exception {
        start(align, dropRepeats, false, maxBytes, null);
    }

    private void start(
            boolean align, boolean dropRepeats, boolean passOver, long maxBytes, OperatorSubtaskState state)
            throws Exception {
        TestingMetricRegistry registry = TestingMetricRegistry.builder()
                .setRegisterConsumer((metric, name, group) -> metrics.put(name, metric))
                .build();
        TaskMetricGroup task = TaskManagerMetricGroup.createTaskManagerMetricGroup(
                        registry, "localhost", ResourceID.generate())
                .addJob(new JobID(), "lake-oltp")
                .addTask(ExecutionAttemptID.randomId(), "aligner");
        harness = new OneInputStreamOperatorTestHarness<>(
                new ProcessOperator<>(new TransactionAligner(
                        List.of(ORDERS, EVENTS), List.of(Events.results(2)), align, dropRepeats, passOver, maxBytes)),
                new MockEnvironmentBuilder().setMetricGroup(task).build());
        harness.setup();
        if (state != null) {
            harness.initializeState(state);
        }
        harness.open();
    }

    /** The job goes on from a checkpoint taken now. */
    void restart() throws Exception {
        restart(false);
    }

    void restart(boolean passOver) throws Exception {
        OperatorSubtaskState state = harness.snapshot(1, 1);
        harness.close();
        start(true, true, passOver, LARGE, state);
    }

    @Override
    public void close() throws Exception {
        harness.close();
    }

    void send(byte[]... messages) throws Exception {
        for (byte[] message : messages) {
            harness.processElement(message, 0);
        }
    }

    /** Rows of a table since the start. */
    List<Row> rows(CapturedTable table) {
        return side(table.tag());
    }

    /** Records of the result topic since the start, without their keys. */
    List<String> results() {
        List<String> texts = new ArrayList<>();
        for (Tuple4<String, Integer, byte[], byte[]> each : side(ResultTopic.TAG)) {
            texts.add(new String(each.f3, StandardCharsets.UTF_8));
        }
        return texts;
    }

    private <T> List<T> side(OutputTag<T> tag) {
        List<T> values = new ArrayList<>();
        Iterable<StreamRecord<T>> records = harness.getSideOutput(tag);
        if (records != null) {
            records.forEach(each -> values.add(each.getValue()));
        }
        return values;
    }

    long count(String metric) {
        return ((Counter) metrics.get(metric)).getCount();
    }

    Object gauge(String metric) {
        return ((Gauge<?>) metrics.get(metric)).getValue();
    }
}
