// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.paimon.catalog.CatalogContext;
import org.apache.paimon.fs.FileIO;
import org.apache.paimon.fs.FileStatus;
import org.apache.paimon.fs.Path;
import org.apache.paimon.fs.PositionOutputStream;
import org.apache.paimon.fs.SeekableInputStream;

/**
 * The object store as Paimon sees it, by as few requests as each question needs.
 *
 * <p>Hadoop's S3A plays a file system: a look before each write, a look for a folder after each miss, a temporary file
 * and a copy for each "atomic" write. That was 72 requests for an empty commit, and most of what the job took of the
 * machine. The store needs none of it: a PUT is atomic by itself, If-None-Match makes it exclusive, and a folder is
 * a common beginning of names.
 *
 * <p>Endpoint and keys come from Flink's own configuration, on whatever machine this is; it carries nothing itself.
 */
public final class LakeFileIO implements FileIO {
    private static final long serialVersionUID = 1L;

    /** Names that Paimon and its Iceberg metadata give to files only: nobody need look for a folder of that name. */
    private static final Pattern FILE_NAME = Pattern.compile(
            "LATEST|EARLIEST|.*\\.(parquet|avro|orc|json|text|tmp|index)|(snapshot|schema|tag|index-manifest|manifest|manifest-list|changelog|consumer)-.+");

    /** Names that Paimon gives to folders only; most of them are not there, and nobody need look for a file of that name. */
    private static final Pattern FOLDER_NAME =
            Pattern.compile("tag|consumer|branch|changelog|snapshot|schema|manifest|index|statistics");

    /** Iceberg's manifests and lists of them; published hashes need them longer than Paimon does. */
    private static final Pattern MANIFEST = Pattern.compile(".+/iceberg/.+/metadata/[^/]+\\.avro");

    private transient volatile ObjectStore store;

    /** For Paimon's loader: asks the store that Flink's configuration names. */
    public LakeFileIO() {}

    LakeFileIO(ObjectStore store) {
        this.store = store;
    }

    private ObjectStore store() {
        ObjectStore known = store;
        if (known == null) {
            known = ObjectStore.ofThisMachine();
            store = known;
        }
        return known;
    }

    @Override
    public boolean isObjectStore() {
        return true;
    }

    @Override
    public void configure(CatalogContext context) {}

    @Override
    public SeekableInputStream newInputStream(Path path) {
        return new ObjectInput(store(), Location.of(path));
    }

    @Override
    public PositionOutputStream newOutputStream(Path path, boolean overwrite) {
        return new ObjectOutput(store(), Location.of(path), overwrite);
    }

    @Override
    public FileStatus getFileStatus(Path path) throws IOException {
        return find(path).orElseThrow(() -> new FileNotFoundException(path.toString()));
    }

    @Override
    public boolean exists(Path path) throws IOException {
        return find(path).isPresent();
    }

    private Optional<FileStatus> find(Path path) throws IOException {
        Location location = Location.of(path);
        if (location.key.isEmpty()) {
            return Optional.of(Status.folder(path));
        }
        if (FILE_NAME.matcher(path.getName()).matches()) {
            return file(path, location);
        }
        if (store().hasAny(location.asFolder())) {
            return Optional.of(Status.folder(path));
        }
        return FOLDER_NAME.matcher(path.getName()).matches() ? Optional.empty() : file(path, location);
    }

    private Optional<FileStatus> file(Path path, Location location) throws IOException {
        return store().head(location).map(found -> Status.file(path, found));
    }

    @Override
    public FileStatus[] listStatus(Path path) throws IOException {
        Location folder = Location.of(path).asFolder();
        List<FileStatus> found = new ArrayList<>();
        store().list(folder, "/", entry -> {
            Path child = new Path(path, entry.name(folder));
            found.add(entry.isFolder() ? Status.folder(child) : Status.file(child, entry));
        });
        if (found.isEmpty() && FILE_NAME.matcher(path.getName()).matches()) {
            file(path, Location.of(path)).ifPresent(found::add);
        }
        return found.toArray(new FileStatus[0]);
    }

    /**
     * Deletes the object; with {@code recursive} also what lies under that name. True also where nothing was there.
     *
     * <p>A manifest of Iceberg's stays: where the newest metadata is missing Paimon deletes all of them at once. The
     * publisher removes those that nobody needs (lake/publish/old_manifests.py).
     */
    @Override
    public boolean delete(Path path, boolean recursive) throws IOException {
        if (MANIFEST.matcher(path.toString()).matches()) {
            return true;
        }
        Location location = Location.of(path);
        boolean mayBeFolder = recursive && !FILE_NAME.matcher(path.getName()).matches();
        List<Location> found = mayBeFolder ? store().allUnder(location.asFolder()) : List.of();
        if (found.isEmpty()) {
            store().delete(location);
        } else {
            store().deleteAll(found);
        }
        return true;
    }

    /** An empty object whose name ends with a slash: a database without tables is a folder with nothing in it. */
    @Override
    public boolean mkdirs(Path path) throws IOException {
        Location folder = Location.of(path).asFolder();
        if (!folder.key.isEmpty()) {
            store().put(folder, new byte[0]);
        }
        return true;
    }

    /** Copies and deletes, a folder object by object: not atomic. Paimon does so only when a table is renamed. */
    @Override
    public boolean rename(Path from, Path to) throws IOException {
        Location source = Location.of(from);
        Location target = Location.of(to);
        if (store().head(source).isPresent()) {
            store().copy(source, target);
            store().delete(source);
            return true;
        }
        List<Location> objects = store().allUnder(source.asFolder());
        for (Location object : objects) {
            Location moved = new Location(target.bucket, target.key + object.key.substring(source.key.length()));
            if (object.key.endsWith("/")) {
                // Not every store copies a folder's marker.
                store().put(moved, new byte[0]);
            } else {
                store().copy(object, moved);
            }
        }
        store().deleteAll(objects);
        return !objects.isEmpty();
    }

    /** One PUT that takes place only where nothing is there yet; false where something else is. */
    @Override
    public boolean tryToWriteAtomic(Path path, String content) throws IOException {
        try {
            store().putNew(Location.of(path), content.getBytes(StandardCharsets.UTF_8));
            return true;
        } catch (FileAlreadyExistsException alreadyThere) {
            return false;
        }
    }

    @Override
    public void overwriteFileUtf8(Path path, String content) throws IOException {
        store().put(Location.of(path), content.getBytes(StandardCharsets.UTF_8));
    }
}
