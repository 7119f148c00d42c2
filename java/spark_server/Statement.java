// SPDX-License-Identifier: Apache-2.0

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** One statement at one hash: held to reading, run, handed on piece by piece; few pieces wait for a slow reader. */
final class Statement
        implements Runnable
{
    static final byte[] END = new byte[0];
    private static final int ROWS_PER_PIECE = 500;
    private static final long PAUSE_MILLIS = 100;
    private static final AtomicLong COUNTER = new AtomicLong();

    private final SparkSession root;
    private final Map<String, String> catalog;
    private final String hash;
    private final String sql;
    private final String group = "statement-" + COUNTER.incrementAndGet();
    private final BlockingQueue<byte[]> pieces = new ArrayBlockingQueue<>(8);
    private volatile boolean cancelled;
    private volatile boolean over;
    private Thread runner;

    Statement(SparkSession root, Map<String, String> catalog, String hash, String sql)
    {
        this.root = root;
        this.catalog = catalog;
        this.hash = hash;
        this.sql = sql;
    }

    @Override
    public void run()
    {
        begins();
        try {
            if (!cancelled) {
                answer();
            }
        }
        // Whatever it was, the reader gets the reason; out of memory ends the process (ExitOnOutOfMemoryError).
        catch (Exception | StackOverflowError | LinkageError error) {
            handOn(JsonLines.failed(reason(error)));
        }
        finally {
            ends();
            handOn(END);
        }
    }

    private void answer()
            throws Exception
    {
        try (PinnedSession session = PinnedSession.open(root, catalog, hash)) {
            Reading.require(session.spark().sessionState().sqlParser().parsePlan(sql));
            SparkContext context = root.sparkContext();
            context.setJobGroup(group, group, true);
            // A pool for each runner: statements share the cores, instead of the first one having them all.
            context.setLocalProperty("spark.scheduler.pool", Thread.currentThread().getName());
            Dataset<Row> rows = session.spark().sql(sql);
            handOn(JsonLines.columns(rows.schema()));
            Iterator<Row> all = rows.toLocalIterator();
            List<Row> some = new ArrayList<>();
            while (all.hasNext() && !cancelled) {
                some.add(all.next());
                if (some.size() == ROWS_PER_PIECE || !all.hasNext()) {
                    handOn(JsonLines.rows(some));
                    some.clear();
                }
            }
            handOn(JsonLines.end());
        }
    }

    /** The next piece, or after that time a line that says it is running; END once and at the end. */
    byte[] next(long millis)
    {
        try {
            byte[] piece = pieces.poll(millis, TimeUnit.MILLISECONDS);
            return piece == null ? JsonLines.running(tasks()) : piece;
        }
        catch (InterruptedException stopping) {
            Thread.currentThread().interrupt();
            return END;
        }
    }

    /** Tasks of its jobs that run now. */
    private int tasks()
    {
        int running = 0;
        for (int job : root.sparkContext().statusTracker().getJobIdsForGroup(group)) {
            var info = root.sparkContext().statusTracker().getJobInfo(job);
            if (info.isDefined()) {
                for (int stage : info.get().stageIds()) {
                    var found = root.sparkContext().statusTracker().getStageInfo(stage);
                    running += found.isDefined() ? found.get().numActiveTasks() : 0;
                }
            }
        }
        return running;
    }

    /** Until nothing of it runs: a job that planning was about to submit would not know that its group is cancelled. */
    void cancelUntilOver()
    {
        cancelled = true;
        while (!over) {
            root.sparkContext().cancelJobGroup(group);
            interrupt();
            try {
                Thread.sleep(PAUSE_MILLIS);
            }
            catch (InterruptedException stopping) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private synchronized void begins()
    {
        runner = Thread.currentThread();
    }

    /** From here on nobody interrupts the thread, which is the next statement's. */
    private synchronized void ends()
    {
        runner = null;
        over = true;
        Thread.interrupted();
        root.sparkContext().clearJobGroup();
    }

    private synchronized void interrupt()
    {
        if (runner != null) {
            runner.interrupt();
        }
    }

    /** To the reader, as soon as it takes it; a cancelled statement has none. */
    private void handOn(byte[] piece)
    {
        boolean handed = false;
        while (!cancelled && !handed) {
            try {
                handed = pieces.offer(piece, PAUSE_MILLIS, TimeUnit.MILLISECONDS);
            }
            catch (InterruptedException stopping) {
                cancelled = true;
            }
        }
    }

    /** The deepest cause in Spark's own words, without the plan that it prints below. */
    private static String reason(Throwable error)
    {
        Throwable deepest = error;
        while (deepest.getCause() != null && deepest.getCause() != deepest) {
            deepest = deepest.getCause();
        }
        String text = deepest instanceof AnalysisException analysis ? analysis.getSimpleMessage() : deepest.getMessage();
        if (text == null || text.isBlank()) {
            return deepest.getClass().getSimpleName();
        }
        // Spark's own errors begin with their class in brackets.
        return text.strip().startsWith("[") ? text.strip() : deepest.getClass().getSimpleName() + ": " + text.strip();
    }
}
