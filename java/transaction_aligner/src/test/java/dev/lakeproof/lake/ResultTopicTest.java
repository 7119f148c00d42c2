// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a change adds to a result topic: partition, key, value. */
class ResultTopicTest {
    private static final ResultTopic RESULTS = Events.results(2);

    private static List<String> records(String table, String before, String after) throws IOException {
        String event = "{\"before\": %s, \"after\": %s, \"source\": {\"ts_us\": 7}}".formatted(before, after);
        return RESULTS.recordsOf(table, Events.parse(event)).stream()
                .map(each -> each.f1 + " " + text(each.f2) + " " + text(each.f3))
                .toList();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void anUpdateIsTheRowAsItIsNowWithTheDeclaredColumnsOnly() throws Exception {
        String after = "{\"id\": 1, \"status\": \"paid\", \"secret\": 5}";
        assertEquals(
                List.of("-1 {\"id\":1} {\"op\":\"upsert\",\"id\":1,\"status\":\"paid\",\"ts_us\":7}"),
                records("oltp.orders", "{\"id\": 1, \"status\": \"new\"}", after));
    }

    @Test
    void aDeleteSaysSoWithItsLastContent() throws Exception {
        assertEquals(
                List.of("-1 {\"id\":1} {\"op\":\"delete\",\"id\":1,\"status\":\"new\",\"ts_us\":7}"),
                records("oltp.orders", "{\"id\": 1, \"status\": \"new\"}", "null"));
    }

    @Test
    void aChangedKeyTakesTheOldOneAway() throws Exception {
        assertEquals(
                List.of("-1 {\"id\":1} {\"op\":\"delete\",\"id\":1,\"status\":\"new\",\"ts_us\":7}",
                        "-1 {\"id\":2} {\"op\":\"upsert\",\"id\":2,\"status\":\"new\",\"ts_us\":7}"),
                records("oltp.orders", "{\"id\": 1, \"status\": \"new\"}", "{\"id\": 2, \"status\": \"new\"}"));
    }

    @Test
    void aBeatGoesToEveryPartition() throws Exception {
        assertEquals(
                List.of("0 \"beat\" {\"op\":\"beat\",\"beat_us\":9}", "1 \"beat\" {\"op\":\"beat\",\"beat_us\":9}"),
                records("oltp.beats", "null", "{\"id\": 1, \"at\": 9}"));
    }

    @Test
    void anotherTableAddsNothing() throws Exception {
        assertEquals(List.of(), records("oltp.order_items", "null", "{\"id\": 1}"));
    }

    @Test
    void aDeclarationWithoutABeatIsRefused() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new ResultTopic("results.orders", 2, Events.schema(), Map.of("table", "oltp.orders")));
    }
}
