// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileAlreadyExistsException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.StandardRetryStrategy;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** The store's requests that the lake needs. Every failure is an IOException that names the object. */
final class ObjectStore {
    /** A part of an object. length: of the whole object, in bytes. */
    record Part(byte[] bytes, long length) {}

    private static final int NOT_FOUND = 404;
    private static final int PRECONDITION_FAILED = 412;
    private static final int RANGE_NOT_SATISFIABLE = 416;
    private static final int DELETED_AT_ONCE = 1000;
    private static final long KEPT_BYTES = 32 << 20;
    private static final long FRESH_MILLIS = 1000;

    private static ObjectStore ofThisMachine;

    private final S3Client client;
    private final Remembered remembered;

    ObjectStore(S3Client client, long freshMillis) {
        this.client = client;
        remembered = new Remembered(ObjectInput.BLOCK_BYTES, KEPT_BYTES, freshMillis);
    }

    ObjectStore(S3Client client) {
        this(client, FRESH_MILLIS);
    }

    /** One client for all tables of a process, by the keys in Flink's configuration. */
    static synchronized ObjectStore ofThisMachine() {
        if (ofThisMachine == null) {
            Configuration flink = GlobalConfiguration.loadConfiguration();
            ofThisMachine = new ObjectStore(client(
                    URI.create(required(flink, "s3.endpoint")),
                    flink.getString("s3.endpoint.region", "us-east-1"),
                    required(flink, "s3.access-key"),
                    required(flink, "s3.secret-key")));
        }
        return ofThisMachine;
    }

    private static String required(Configuration flink, String key) {
        String value = flink.getString(key, null);
        if (value == null) {
            throw new IllegalStateException("Flink's configuration has no " + key);
        }
        return value;
    }

    /**
     * A client that goes on asking for about half a minute while the store is away: a restart of it should not be one of the
     * job.
     */
    static S3Client client(URI endpoint, String region, String accessKey, String secretKey) {
        StandardRetryStrategy retries = StandardRetryStrategy.builder()
                .maxAttempts(25)
                .backoffStrategy(BackoffStrategy.exponentialDelay(Duration.ofMillis(100), Duration.ofSeconds(3)))
                .throttlingBackoffStrategy(BackoffStrategy.exponentialDelay(Duration.ofMillis(500), Duration.ofSeconds(3)))
                .circuitBreakerEnabled(false)
                .build();
        return S3Client.builder()
                .endpointOverride(endpoint)
                .region(Region.of(region))
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey)))
                .forcePathStyle(true)
                .serviceConfiguration(s3 -> s3.chunkedEncodingEnabled(false))
                // The signature covers the content already.
                .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
                .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
                .httpClient(UrlConnectionHttpClient.builder()
                        .connectionTimeout(Duration.ofSeconds(3))
                        .socketTimeout(Duration.ofSeconds(10))
                        .build())
                .overrideConfiguration(all -> all.retryStrategy(retries).apiCallTimeout(Duration.ofSeconds(60)))
                .build();
    }

    /** The whole object where this process had it a moment ago, not to be changed; else null. */
    byte[] remembered(Location location) {
        return remembered.find(location);
    }

    Optional<Entry> head(Location location) throws IOException {
        Optional<Entry> known = remembered.entry(location);
        if (known.isPresent()) {
            return known;
        }
        try {
            HeadObjectResponse found = asking(
                    location, () -> client.headObject(request -> request.bucket(location.bucket).key(location.key)));
            return Optional.of(new Entry(
                    location, false, found.contentLength(), found.lastModified().toEpochMilli()));
        } catch (FileNotFoundException absent) {
            return Optional.empty();
        }
    }

    /** `count` bytes from `start`, fewer at the end, none beyond it. */
    Part get(Location location, long start, int count) throws IOException {
        String range = "bytes=" + start + "-" + (start + count - 1);
        try {
            ResponseBytes<GetObjectResponse> found = client.getObjectAsBytes(
                    request -> request.bucket(location.bucket).key(location.key).range(range));
            String total = found.response().contentRange();
            byte[] bytes = found.asByteArrayUnsafe();
            long length = total == null ? bytes.length : Long.parseLong(total.substring(total.indexOf('/') + 1));
            if (bytes.length == length) {
                remembered.read(location, bytes);
            }
            return new Part(bytes, length);
        } catch (S3Exception error) {
            if (error.statusCode() == RANGE_NOT_SATISFIABLE) {
                return new Part(new byte[0], head(location).orElseThrow(() -> gone(location)).length());
            }
            throw failed(location, error);
        } catch (SdkException error) {
            throw failed(location, error);
        }
    }

    void put(Location location, byte[] content) throws IOException {
        asking(location, () -> client.putObject(
                request -> request.bucket(location.bucket).key(location.key), RequestBody.fromBytes(content)));
        remembered.written(location, content);
    }

    /**
     * Puts where nothing is. What is there with the same content was put by this very call, whose first answer was lost.
     *
     * @throws FileAlreadyExistsException where something else is
     */
    void putNew(Location location, byte[] content) throws IOException {
        try {
            client.putObject(
                    request -> request.bucket(location.bucket).key(location.key).ifNoneMatch("*"),
                    RequestBody.fromBytes(content));
        } catch (S3Exception error) {
            if (error.statusCode() != PRECONDITION_FAILED) {
                throw failed(location, error);
            }
            if (!Arrays.equals(get(location, 0, content.length + 1).bytes(), content)) {
                throw new FileAlreadyExistsException(location.toString());
            }
        } catch (SdkException error) {
            throw failed(location, error);
        }
        remembered.written(location, content);
    }

    Upload begin(Location location) throws IOException {
        String id = asking(location, () -> client.createMultipartUpload(
                        request -> request.bucket(location.bucket).key(location.key))
                .uploadId());
        return new Upload(client, location, id);
    }

    void copy(Location from, Location to) throws IOException {
        asking(from, () -> client.copyObject(request -> request.sourceBucket(from.bucket)
                .sourceKey(from.key)
                .destinationBucket(to.bucket)
                .destinationKey(to.key)));
    }

    void delete(Location location) throws IOException {
        try {
            asking(location, () -> client.deleteObject(request -> request.bucket(location.bucket).key(location.key)));
        } finally {
            remembered.forget(location); // not before: who reads it meanwhile would have it kept again
        }
    }

    /** Deletes objects of one folder, given by name: markers last, for a store of files gives up a folder's once it is empty. */
    void deleteAll(List<Location> objects) throws IOException {
        List<Location> lastFirst = new ArrayList<>(objects);
        Collections.reverse(lastFirst);
        for (int from = 0; from < lastFirst.size(); from += DELETED_AT_ONCE) {
            List<Location> some = lastFirst.subList(from, Math.min(from + DELETED_AT_ONCE, lastFirst.size()));
            Location one = some.get(0);
            List<ObjectIdentifier> keys = new ArrayList<>();
            some.forEach(each -> keys.add(ObjectIdentifier.builder().key(each.key).build()));
            try {
                var answer = asking(one, () -> client.deleteObjects(
                        request -> request.bucket(one.bucket).delete(all -> all.objects(keys).quiet(true))));
                if (answer.hasErrors() && !answer.errors().isEmpty()) {
                    throw new IOException(one + ": " + answer.errors().get(0));
                }
            } finally {
                some.forEach(remembered::forget);
            }
        }
    }

    boolean hasAny(Location folder) throws IOException {
        ListObjectsV2Response page = asking(folder, () -> client.listObjectsV2(
                request -> request.bucket(folder.bucket).prefix(folder.key).maxKeys(1)));
        return !page.contents().isEmpty();
    }

    /** Everything under `folder` but markers of folders; with a delimiter only what lies right in it, folders once each. */
    void list(Location folder, String delimiter, Consumer<Entry> each) throws IOException {
        pages(folder, delimiter, page -> {
            page.contents().stream()
                    .filter(object -> !object.key().endsWith("/"))
                    .map(object -> new Entry(
                            new Location(folder.bucket, object.key()),
                            false,
                            object.size(),
                            object.lastModified().toEpochMilli()))
                    .forEach(each);
            page.commonPrefixes().stream()
                    .map(prefix -> new Entry(new Location(folder.bucket, prefix.prefix()), true, 0, 0))
                    .forEach(each);
        });
    }

    /** Every object under `folder`, the markers of folders too, by name. */
    List<Location> allUnder(Location folder) throws IOException {
        List<Location> found = new ArrayList<>();
        pages(folder, null, page -> page.contents().forEach(object -> found.add(new Location(folder.bucket, object.key()))));
        found.sort(Comparator.comparing(location -> location.key));
        return found;
    }

    private void pages(Location folder, String delimiter, Consumer<ListObjectsV2Response> each) throws IOException {
        String token = null;
        do {
            String after = token;
            ListObjectsV2Response page = asking(folder, () -> client.listObjectsV2(request -> request.bucket(folder.bucket)
                    .prefix(folder.key)
                    .delimiter(delimiter)
                    .continuationToken(after)));
            each.accept(page);
            token = Boolean.TRUE.equals(page.isTruncated()) ? page.nextContinuationToken() : null;
        } while (token != null);
    }

    static <T> T asking(Location location, Supplier<T> request) throws IOException {
        try {
            return request.get();
        } catch (SdkException error) {
            throw failed(location, error);
        }
    }

    private static IOException failed(Location location, SdkException error) {
        if (error instanceof S3Exception && ((S3Exception) error).statusCode() == NOT_FOUND) {
            return gone(location);
        }
        return new IOException(location + ": " + error.getMessage(), error);
    }

    private static FileNotFoundException gone(Location location) {
        return new FileNotFoundException(location.toString());
    }
}
