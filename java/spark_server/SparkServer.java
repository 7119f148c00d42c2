// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Reader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Spark's driver as a small server on loopback: one statement per request, at one published hash, JSON lines back.
 *
 * <p>POST /v1/statements {"sql": …, "hash": …} answers with one JSON object per line, the first one that says `running`
 * within half a second: whoever closes the connection has cancelled the statement. GET /health asks Spark `VALUES 1`.
 * Both want the stack's token. Arguments: HOST:PORT and a properties file without any key; the keys of the object store
 * and the token come in the environment.
 */
public final class SparkServer
{
    static final String CATALOGS = "spark.sql.catalog.";
    private static final int LARGEST_REQUEST_BYTES = 4 << 20;
    private static final int STATEMENTS_AT_ONCE = 4;
    private static final long LINE_EVERY_MILLIS = 500;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final AtomicInteger THREADS = new AtomicInteger();

    private final SparkSession spark;
    private final Map<String, String> catalog;
    private final byte[] authorization;
    private final ExecutorService statements = Executors.newFixedThreadPool(
            STATEMENTS_AT_ONCE, work -> new Thread(work, "statements-" + THREADS.incrementAndGet()));

    private SparkServer(SparkSession spark, Map<String, String> catalog, String token)
    {
        this.spark = spark;
        this.catalog = catalog;
        this.authorization = ("Bearer " + token).getBytes(StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments)
            throws IOException
    {
        String[] address = arguments[0].split(":");
        SparkConf conf = new SparkConf(false);
        Map<String, String> catalog = new LinkedHashMap<>();
        Properties settings = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of(arguments[1]))) {
            settings.load(file);
        }
        // The catalog is a pinned session's own: without a hash there is no lake to read.
        for (String name : settings.stringPropertyNames()) {
            if (name.startsWith(CATALOGS)) {
                catalog.put(name, settings.getProperty(name));
            }
            else {
                conf.set(name, settings.getProperty(name));
            }
        }
        SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
        SparkServer server = new SparkServer(spark, catalog, System.getenv("LAKEPROOF_SPARK_TOKEN"));
        server.listen(new InetSocketAddress(address[0], Integer.parseInt(address[1])));
        System.out.println("SparkServer listens on " + arguments[0]);
    }

    private void listen(InetSocketAddress address)
            throws IOException
    {
        HttpServer http = HttpServer.create(address, 64);
        http.createContext("/health", exchange -> answer(exchange, "GET", this::health));
        http.createContext("/v1/statements", exchange -> answer(exchange, "POST", this::statement));
        // A connection holds a thread while its statement runs, so the health question must find one more.
        http.setExecutor(Executors.newCachedThreadPool());
        http.start();
    }

    private interface Answer
    {
        void to(HttpExchange exchange)
                throws IOException;
    }

    private void answer(HttpExchange exchange, String method, Answer answer)
            throws IOException
    {
        try (exchange) {
            String given = exchange.getRequestHeaders().getFirst("Authorization");
            if (given == null || !MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), authorization)) {
                reply(exchange, 401, Map.of("failed", "no or a wrong token"));
            }
            else if (!exchange.getRequestMethod().equals(method)) {
                reply(exchange, 405, Map.of("failed", "only " + method));
            }
            else {
                answer.to(exchange);
            }
        }
        catch (RuntimeException bug) {
            bug.printStackTrace();
            throw bug;
        }
    }

    /** Takes no task's place: a long statement must not look like a hung server. */
    private void health(HttpExchange exchange)
            throws IOException
    {
        if (spark.sparkContext().isStopped()) {
            reply(exchange, 503, Map.of("failed", "Spark has stopped"));
            return;
        }
        List<Row> rows = spark.sql("VALUES 1").collectAsList();
        reply(exchange, 200, Map.of("rows", List.of(List.of(rows.get(0).getInt(0)))));
    }

    private void statement(HttpExchange exchange)
            throws IOException
    {
        byte[] body;
        try (InputStream in = exchange.getRequestBody()) {
            body = in.readNBytes(LARGEST_REQUEST_BYTES + 1);
        }
        if (body.length > LARGEST_REQUEST_BYTES) {
            reply(exchange, 413, Map.of("failed", "a statement of more than 4 MB"));
            return;
        }
        JsonNode asked = JSON.readTree(body);
        if (!asked.path("sql").isTextual()) {
            reply(exchange, 400, Map.of("failed", "no sql"));
            return;
        }
        Statement statement = new Statement(spark, catalog, asked.path("hash").textValue(), asked.get("sql").textValue());
        statements.execute(statement);
        exchange.getResponseHeaders().set("Content-Type", "application/x-ndjson");
        exchange.sendResponseHeaders(200, 0);
        try (OutputStream out = exchange.getResponseBody()) {
            for (byte[] piece = statement.next(LINE_EVERY_MILLIS); piece != Statement.END; ) {
                out.write(piece);
                out.flush();
                piece = statement.next(LINE_EVERY_MILLIS);
            }
        }
        catch (IOException gone) {
            statement.cancelUntilOver();
        }
    }

    private static void reply(HttpExchange exchange, int status, Map<String, ?> answer)
            throws IOException
    {
        byte[] body = JSON.writeValueAsBytes(answer);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }
}
