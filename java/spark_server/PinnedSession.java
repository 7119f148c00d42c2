// SPDX-License-Identifier: Apache-2.0

import java.util.List;
import java.util.Map;
import org.apache.iceberg.spark.source.HasIcebergCatalog;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;

/** A session that sees the lake at one hash of Nessie, as catalog `lake`; without a hash it sees no lake at all. */
final class PinnedSession
        implements AutoCloseable
{
    private static final String CATALOG = "lake";
    private static final String NAMESPACE = "oltp";
    // They call any static method of Java: no reading of tables, and a way to the environment.
    private static final List<String> CALLING_JAVA = List.of("reflect", "java_method");

    private final SparkSession spark;
    private final boolean pinned;

    private PinnedSession(SparkSession spark, boolean pinned)
    {
        this.spark = spark;
        this.pinned = pinned;
    }

    static PinnedSession open(SparkSession root, Map<String, String> catalog, String hash)
    {
        SparkSession spark = root.newSession();
        // The parser and the catalog manager ask the thread's active session for settings, whichever session they are of.
        SparkSession.setActiveSession(spark);
        for (String name : CALLING_JAVA) {
            spark.sessionState().functionRegistry().dropFunction(new FunctionIdentifier(name));
        }
        PinnedSession opened = new PinnedSession(spark, hash != null);
        if (hash != null) {
            catalog.forEach((name, value) -> spark.conf().set(name, value));
            spark.conf().set(SparkServer.CATALOGS + CATALOG + ".ref.hash", hash);
            spark.sessionState().catalogManager().setCurrentCatalog(CATALOG);
            spark.sessionState().catalogManager().setCurrentNamespace(new String[] {NAMESPACE});
        }
        return opened;
    }

    SparkSession spark()
    {
        return spark;
    }

    /** Ends the connections to Nessie and the object store; nobody else does. */
    @Override
    public void close()
            throws Exception
    {
        try {
            if (pinned
                    && spark.sessionState().catalogManager().catalog(CATALOG) instanceof HasIcebergCatalog iceberg
                    && iceberg.icebergCatalog() instanceof AutoCloseable open) {
                open.close();
            }
        }
        finally {
            SparkSession.clearActiveSession();
        }
    }
}
