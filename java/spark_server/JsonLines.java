// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/** The lines of an answer. Decimals and times are text, so that nothing is rounded; a moment is in UTC, to the microsecond. */
final class JsonLines
{
    private static final DateTimeFormatter MOMENT = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSS");
    private static final JsonFactory FACTORY = new JsonFactory();

    private JsonLines() {}

    private interface Content
    {
        void to(JsonGenerator json)
                throws IOException;
    }

    static byte[] running(int tasks)
    {
        return line(json -> json.writeNumberField("running", tasks));
    }

    static byte[] failed(String reason)
    {
        return line(json -> json.writeStringField("failed", reason));
    }

    static byte[] end()
    {
        return line(json -> json.writeBooleanField("end", true));
    }

    static byte[] columns(StructType schema)
    {
        return line(json -> {
            json.writeArrayFieldStart("columns");
            for (StructField field : schema.fields()) {
                json.writeStartObject();
                json.writeStringField("name", field.name());
                json.writeStringField("type", field.dataType().catalogString());
                json.writeEndObject();
            }
            json.writeEndArray();
        });
    }

    static byte[] rows(List<Row> rows)
    {
        return line(json -> {
            json.writeArrayFieldStart("rows");
            for (Row row : rows) {
                write(json, row);
            }
            json.writeEndArray();
        });
    }

    private static byte[] line(Content content)
    {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = FACTORY.createGenerator(bytes)) {
            json.writeStartObject();
            content.to(json);
            json.writeEndObject();
            json.writeRaw('\n');
        }
        catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return bytes.toByteArray();
    }

    private static void write(JsonGenerator json, Object value)
            throws IOException
    {
        if (value == null) {
            json.writeNull();
        }
        else if (value instanceof Boolean truth) {
            json.writeBoolean(truth);
        }
        else if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            if (Double.isFinite(number)) {
                json.writeNumber(value.toString());
            }
            else {
                json.writeString(value.toString());
            }
        }
        else if (value instanceof BigDecimal decimal) {
            json.writeString(decimal.toPlainString());
        }
        else if (value instanceof Number number) {
            json.writeNumber(number.longValue());
        }
        else if (value instanceof LocalDateTime moment) {
            json.writeString(MOMENT.format(moment));
        }
        else if (value instanceof Instant moment) {
            json.writeString(MOMENT.format(moment.atOffset(ZoneOffset.UTC)) + " UTC");
        }
        else if (value instanceof byte[] bytes) {
            json.writeBinary(bytes);
        }
        else if (value instanceof Row row) {
            json.writeStartArray();
            for (int place = 0; place < row.length(); place++) {
                write(json, row.get(place));
            }
            json.writeEndArray();
        }
        else if (value instanceof scala.collection.Seq<?> several) {
            json.writeStartArray();
            for (Object each : JavaConverters.seqAsJavaList(several)) {
                write(json, each);
            }
            json.writeEndArray();
        }
        else if (value instanceof scala.collection.Map<?, ?> pairs) {
            json.writeStartObject();
            for (Map.Entry<?, ?> pair : JavaConverters.mapAsJavaMap(pairs).entrySet()) {
                json.writeFieldName(String.valueOf(pair.getKey()));
                write(json, pair.getValue());
            }
            json.writeEndObject();
        }
        else {
            json.writeString(value.toString());
        }
    }
}
