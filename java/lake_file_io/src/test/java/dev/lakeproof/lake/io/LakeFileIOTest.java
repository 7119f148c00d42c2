// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.paimon.fs.FileStatus;
import org.apache.paimon.fs.Path;
import org.apache.paimon.fs.PositionOutputStream;
import org.apache.paimon.fs.SeekableInputStream;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.services.s3.S3Client;

/** Against a real store, which the environment names. */
class LakeFileIOTest {
    private final LakeFileIO io = newOne();
    /** Knows nothing of what the other one wrote, so it asks the store. */
    private final LakeFileIO reader = newOne();
    private final Path folder = new Path("s3://lake/file-io-test/" + UUID.randomUUID());

    private static LakeFileIO newOne() {
        return new LakeFileIO(new ObjectStore(client(given("LAKE_FILE_IO_SECRET_KEY"))));
    }

    private static S3Client client(String secretKey) {
        return ObjectStore.client(
                URI.create(given("LAKE_FILE_IO_ENDPOINT")), "us-east-1", given("LAKE_FILE_IO_ACCESS_KEY"), secretKey);
    }

    /** Where the calls of these names fail. */
    private static LakeFileIO failingAt(String... calls) {
        return telling(call -> {
            if (List.of(calls).contains(call)) {
                throw SdkClientException.create("failed at " + call);
            }
        });
    }

    /** Tells the name of each call to the store before it is made; keeps what has a number for a minute. */
    private static LakeFileIO telling(Consumer<String> told) {
        S3Client client = client(given("LAKE_FILE_IO_SECRET_KEY"));
        return new LakeFileIO(new ObjectStore((S3Client) Proxy.newProxyInstance(
                S3Client.class.getClassLoader(), new Class<?>[] {S3Client.class}, (proxy, call, arguments) -> {
                    told.accept(call.getName());
                    try {
                        return call.invoke(client, arguments);
                    } catch (InvocationTargetException error) {
                        throw error.getCause();
                    }
                }), 60_000));
    }

    private static int uploadsUnder(Path path) {
        Location location = Location.of(path);
        return client(given("LAKE_FILE_IO_SECRET_KEY"))
                .listMultipartUploads(request -> request.bucket(location.bucket).prefix(location.key))
                .uploads()
                .size();
    }

    private static String given(String name) {
        Map<String, String> environment = System.getenv();
        assertTrue(environment.containsKey(name), name + " is not set: run tests/engines/test_lake_file_io.py");
        return environment.get(name);
    }

    private Path at(String name) {
        return new Path(folder, name);
    }

    private void write(Path path, byte[] content, boolean overwrite) throws IOException {
        try (PositionOutputStream out = io.newOutputStream(path, overwrite)) {
            out.write(content);
            assertEquals(content.length, out.getPos());
        }
    }

    private byte[] readAll(Path path) throws IOException {
        try (SeekableInputStream in = reader.newInputStream(path)) {
            return in.readAllBytes();
        }
    }

    private byte[] readHere(Path path) throws IOException {
        try (SeekableInputStream in = io.newInputStream(path)) {
            return in.readAllBytes();
        }
    }

    private static byte[] noise(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    private TreeSet<String> namesIn(Path path) throws IOException {
        TreeSet<String> names = new TreeSet<>();
        for (FileStatus status : io.listStatus(path)) {
            names.add(status.getPath().getName() + (status.isDir() ? "/" : ""));
        }
        return names;
    }

    @Test
    void whatIsWrittenIsReadBackWhateverItsSize() throws IOException {
        for (int length : new int[] {0, 1, ObjectInput.BLOCK_BYTES - 1, ObjectInput.BLOCK_BYTES, ObjectInput.BLOCK_BYTES + 1,
            ObjectOutput.PART_BYTES, 2 * ObjectOutput.PART_BYTES + 7}) {
            Path path = at("data-" + length + ".parquet");
            write(path, noise(length), false);
            assertEquals(length, io.getFileSize(path));
            assertArrayEquals(noise(length), readAll(path));
        }
    }

    @Test
    void aReaderMayBeginAtTheEndAndGoBack() throws IOException {
        byte[] content = noise(3 * ObjectInput.BLOCK_BYTES + 11);
        write(at("seek.parquet"), content, false);
        Random dice = new Random(7);
        try (SeekableInputStream in = reader.newInputStream(at("seek.parquet"))) {
            for (int turn = 0; turn < 40; turn++) {
                int start = turn == 0 ? content.length - 8 : dice.nextInt(content.length);
                int count = Math.min(content.length - start, turn % 4 == 0 ? 2 * ObjectInput.BLOCK_BYTES : 100);
                in.seek(start);
                assertArrayEquals(Arrays.copyOfRange(content, start, start + count), in.readNBytes(count));
                assertEquals(start + count, in.getPos());
            }
            in.seek(content.length);
            assertEquals(-1, in.read());
            assertThrows(EOFException.class, () -> in.seek(content.length + 1L));
        }
    }

    @Test
    void whatIsNotThereIsSaidToBeAbsent() throws IOException {
        for (String name : List.of("snapshot-7", "absent.avro", "tag", "LATEST")) {
            assertFalse(io.exists(at(name)));
            assertThrows(FileNotFoundException.class, () -> io.getFileStatus(at(name)));
            assertThrows(FileNotFoundException.class, () -> readAll(at(name)));
            assertEquals(0, io.listStatus(at(name)).length);
            assertTrue(io.readOverwrittenFileUtf8(at(name)).isEmpty());
        }
    }

    @Test
    void aFileThatIsThereIsNotWrittenAnewUnlessAsked() throws IOException {
        write(at("one.avro"), noise(10), false);
        assertThrows(FileAlreadyExistsException.class, () -> write(at("one.avro"), noise(11), false));
        assertThrows(FileAlreadyExistsException.class, () -> write(at("one.avro"), noise(2 * ObjectOutput.PART_BYTES), false));
        assertArrayEquals(noise(10), readAll(at("one.avro")));
        write(at("one.avro"), noise(12), true);
        assertArrayEquals(noise(12), readAll(at("one.avro")));
        io.overwriteFileUtf8(at("LATEST"), "41");
        io.overwriteFileUtf8(at("LATEST"), "42");
        assertEquals("42", reader.readFileUtf8(at("LATEST")));
    }

    @Test
    void ofManyWhoWriteOneNameAtOnceExactlyOneDoes() throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(8);
        try {
            for (int round = 0; round < 10; round++) {
                Path path = at("snapshot-" + round);
                List<Callable<Boolean>> writers = new ArrayList<>();
                for (int writer = 0; writer < 8; writer++) {
                    String content = "writer " + writer;
                    writers.add(() -> io.tryToWriteAtomic(path, content));
                }
                List<Future<Boolean>> answers = executor.invokeAll(writers);
                int winner = -1;
                for (int writer = 0; writer < 8; writer++) {
                    if (answers.get(writer).get()) {
                        assertEquals(-1, winner, "two were told that they wrote " + path);
                        winner = writer;
                    }
                }
                assertEquals("writer " + winner, reader.readFileUtf8(path));
            }
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void aRepeatOfTheSameWriteIsTheSameWrite() throws IOException {
        assertTrue(io.tryToWriteAtomic(at("snapshot-1"), "mine"));
        assertTrue(io.tryToWriteAtomic(at("snapshot-1"), "mine"));
        assertFalse(io.tryToWriteAtomic(at("snapshot-1"), "mine too"));
    }

    @Test
    void aFolderShowsWhatLiesRightInItAndNothingElse() throws IOException {
        write(at("table/snapshot/snapshot-1"), noise(1), false);
        write(at("table/bucket-0/a.parquet"), noise(2), false);
        write(at("table/bucket-0/b.parquet"), noise(3), false);
        write(at("table-2/c.parquet"), noise(4), false);
        assertEquals(new TreeSet<>(List.of("snapshot/", "bucket-0/")), namesIn(at("table")));
        assertEquals(new TreeSet<>(List.of("a.parquet", "b.parquet")), namesIn(at("table/bucket-0")));
        assertTrue(io.exists(at("table/bucket-0")));
        assertTrue(io.getFileStatus(at("table")).isDir());
        assertEquals(3, io.listFiles(at("table"), true).length);
        assertEquals(2, io.listStatus(at("table/bucket-0"))[0].getLen());
    }

    @Test
    void aFolderMayBeEmpty() throws IOException {
        assertFalse(io.exists(at("oltp.db")));
        assertTrue(io.mkdirs(at("oltp.db")));
        assertTrue(io.mkdirs(at("oltp.db")));
        assertTrue(io.exists(at("oltp.db")));
        assertTrue(io.getFileStatus(at("oltp.db")).isDir());
        assertEquals(0, io.listStatus(at("oltp.db")).length);
    }

    @Test
    void aFileWithoutAnEndingIsFoundToo() throws IOException {
        write(at("plain"), noise(5), false);
        assertFalse(io.getFileStatus(at("plain")).isDir());
        assertEquals(5, io.getFileSize(at("plain")));
    }

    @Test
    void deletingAFolderLeavesItsNeighboursAlone() throws IOException {
        for (int number = 0; number < 30; number++) {
            write(at("gone/part/" + number + ".avro"), noise(1), false);
        }
        write(at("gone-not/a.avro"), noise(1), false);
        assertTrue(io.delete(at("gone"), true));
        assertFalse(io.exists(at("gone")));
        assertEquals(0, io.listFiles(at("gone"), true).length);
        assertTrue(io.exists(at("gone-not/a.avro")));
        assertTrue(io.delete(at("gone-not/a.avro"), false));
        assertFalse(io.exists(at("gone-not/a.avro")));
        assertTrue(io.delete(at("gone-not/a.avro"), false));
    }

    @Test
    void aManifestOfIcebergsStaysAndItsMetadataGoes() throws IOException {
        Path metadata = at("iceberg/oltp/orders/metadata/v7.metadata.json");
        Path list = at("iceberg/oltp/orders/metadata/snap-1-ab.avro");
        Path other = at("oltp.db/orders/manifest/manifest-1.avro");
        for (Path path : List.of(metadata, list, other)) {
            write(path, noise(3), false);
            assertTrue(io.delete(path, false));
        }
        assertFalse(io.exists(metadata));
        assertTrue(io.exists(list));
        assertFalse(io.exists(other));
    }

    @Test
    void aFolderThatIsDeletedLeavesNoMarkerOfItsOwn() throws IOException {
        assertTrue(io.mkdirs(at("gone.db/table")));
        assertTrue(io.mkdirs(at("gone.db")));
        write(at("gone.db/table/a.avro"), noise(1), false);
        assertTrue(io.delete(at("gone.db"), true));
        assertFalse(io.exists(at("gone.db")));
        assertFalse(io.exists(at("gone.db/table")));
        write(at("plain"), noise(1), false);
        assertTrue(io.delete(at("plain"), true));
        assertFalse(io.exists(at("plain")));
    }

    @Test
    void aPartThatFailsIsTheCauseOfEveryLaterFailure() throws IOException {
        Path path = at("torn.parquet");
        PositionOutputStream out = failingAt("uploadPart", "abortMultipartUpload").newOutputStream(path, false);
        IOException first = assertThrows(IOException.class, () -> out.write(noise(ObjectOutput.PART_BYTES)));
        assertTrue(first.getMessage().contains("failed at uploadPart"), first.getMessage());
        assertTrue(first.getSuppressed()[0].getMessage().contains("failed at abortMultipartUpload"));
        assertSame(first, assertThrows(IOException.class, () -> out.write(1)).getCause());
        assertSame(first, assertThrows(IOException.class, out::close).getCause());
        out.close();
        assertFalse(io.exists(path));
    }

    @Test
    void anUploadThatFailsLeavesNoParts() throws IOException {
        for (String call : List.of("uploadPart", "completeMultipartUpload")) {
            Path path = at(call + ".parquet");
            PositionOutputStream out = failingAt(call).newOutputStream(path, false);
            assertThrows(IOException.class, () -> {
                out.write(noise(ObjectOutput.PART_BYTES));
                out.close();
            });
            assertEquals(0, uploadsUnder(path));
            assertFalse(io.exists(path));
        }
        PositionOutputStream killed = io.newOutputStream(at("killed.parquet"), false);
        killed.write(noise(ObjectOutput.PART_BYTES));
        assertEquals(1, uploadsUnder(at("killed.parquet")));
        killed.close();
        assertEquals(0, uploadsUnder(at("killed.parquet")));
    }

    @Test
    void whatWasWrittenHereIsForgottenWhenItIsDeleted() throws IOException {
        Path one = at("bucket-0/data-" + UUID.randomUUID() + "-0.parquet");
        Path other = at("bucket-0/data-" + UUID.randomUUID() + "-1.parquet");
        write(one, noise(100), false);
        write(other, noise(200), false);
        assertArrayEquals(noise(100), readHere(one));
        io.delete(one, false);
        assertThrows(FileNotFoundException.class, () -> readHere(one));
        io.delete(at("bucket-0"), true);
        assertThrows(FileNotFoundException.class, () -> readHere(other));
    }

    @Test
    void whatIsKeptHasABound() {
        Remembered kept = new Remembered(10, 25, 60_000);
        Location[] locations = new Location[4];
        for (int number = 0; number < 4; number++) {
            locations[number] = new Location("lake", UUID.randomUUID() + ".avro");
            kept.written(locations[number], noise(10));
        }
        Location hint = new Location("lake", UUID.randomUUID() + "/LATEST");
        kept.written(hint, noise(1));
        assertNull(kept.find(hint));
        assertNull(kept.find(locations[0]));
        assertNull(kept.find(locations[1]));
        assertArrayEquals(noise(10), kept.find(locations[2]));
        assertArrayEquals(noise(10), kept.find(locations[3]));
        kept.written(locations[0], noise(11));
        assertNull(kept.find(locations[0]));
        kept.read(locations[0], noise(1));
        assertNull(kept.find(locations[0]), "only what was written here, or has a number");
    }

    @Test
    void whatHasANumberIsKeptForAMomentOnlySinceItMayComeAgain() throws InterruptedException {
        Remembered kept = new Remembered(10, 100, 200);
        Location snapshot = new Location("lake", "wh/oltp.db/orders/snapshot/snapshot-7");
        kept.read(snapshot, noise(3));
        assertArrayEquals(noise(3), kept.find(snapshot));
        assertEquals(3, kept.entry(snapshot).orElseThrow().length());
        kept.written(snapshot, noise(4));
        assertArrayEquals(noise(4), kept.find(snapshot));
        Location manifest = new Location("lake", UUID.randomUUID() + ".avro");
        kept.written(manifest, noise(2));
        assertEquals(2, kept.entry(manifest).orElseThrow().length());
        Thread.sleep(250);
        assertNull(kept.find(snapshot));
        assertTrue(kept.entry(snapshot).isEmpty());
        assertArrayEquals(noise(2), kept.find(manifest));
        assertTrue(kept.entry(manifest).isEmpty(), "whether it is still there is asked of the store");
    }

    @Test
    void theStoreIsNotAskedTwiceInAMomentForWhatIsThereAndAlwaysForWhatIsNot() throws IOException {
        List<String> asked = new ArrayList<>();
        LakeFileIO asking = telling(asked::add);
        assertFalse(asking.exists(at("snapshot/snapshot-1")));
        io.tryToWriteAtomic(at("snapshot/snapshot-1"), "one");
        assertTrue(asking.exists(at("snapshot/snapshot-1")));
        for (int turn = 0; turn < 3; turn++) {
            assertEquals("one", asking.readFileUtf8(at("snapshot/snapshot-1")));
            assertTrue(asking.exists(at("snapshot/snapshot-1")));
            assertFalse(asking.exists(at("tag")));
        }
        assertEquals(List.of("headObject", "headObject", "getObjectAsBytes"), asked.subList(0, 3));
        assertEquals(List.of("listObjectsV2", "listObjectsV2", "listObjectsV2"), asked.subList(3, asked.size()));
    }

    @Test
    void aRenamedFolderTakesItsFilesAlong() throws IOException {
        write(at("old/schema/schema-0"), noise(6), false);
        write(at("old/bucket-0/a.parquet"), noise(7), false);
        assertTrue(io.rename(at("old"), at("new")));
        assertFalse(io.exists(at("old")));
        assertArrayEquals(noise(6), readAll(at("new/schema/schema-0")));
        assertTrue(io.rename(at("new/bucket-0/a.parquet"), at("b.parquet")));
        assertArrayEquals(noise(7), readAll(at("b.parquet")));
        assertFalse(io.rename(at("nothing"), at("something")));
        io.mkdirs(at("old.db"));
        assertTrue(io.rename(at("old.db"), at("new.db")));
        assertFalse(io.exists(at("old.db")));
        assertTrue(io.exists(at("new.db")));
    }

    @Test
    void aWrongKeyIsAnErrorAndNotAnAbsence() {
        LakeFileIO stranger = new LakeFileIO(new ObjectStore(client("wrong")));
        IOException error = assertThrows(IOException.class, () -> stranger.exists(at("snapshot-1")));
        assertFalse(error instanceof FileNotFoundException);
        assertThrows(IOException.class, () -> stranger.tryToWriteAtomic(at("snapshot-1"), "no"));
    }
}
