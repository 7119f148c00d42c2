/*
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

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
