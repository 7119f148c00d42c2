// SPDX-License-Identifier: Apache-2.0

import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.ParsedStatement;
import org.apache.spark.sql.execution.command.ExplainCommand;
import scala.collection.JavaConverters;

/** What may run here: queries, SHOW, DESCRIBE, EXPLAIN. Whoever asks has looked already, by the words; this is Spark's view. */
final class Reading
{
    private static final Pattern TELLS = Pattern.compile("(Show|Describe)\\w*");

    private Reading() {}

    static void require(LogicalPlan plan)
    {
        String name = plan.getClass().getSimpleName();
        boolean does = plan instanceof Command || plan instanceof ParsedStatement;
        if (plan instanceof ExplainCommand) {
            return;
        }
        if (does && !TELLS.matcher(name).matches()) {
            throw new IllegalArgumentException("[NO_READING_STATEMENT] " + name + ": engines that read never write to the lake");
        }
        for (LogicalPlan inner : JavaConverters.seqAsJavaList(plan.children())) {
            require(inner);
        }
    }
}
