// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.net.URI;
import org.apache.paimon.fs.Path;

/** A bucket and a key in it; a folder's key ends with a slash, the bucket's own is empty. */
final class Location {
    final String bucket;
    final String key;

    Location(String bucket, String key) {
        this.bucket = bucket;
        this.key = key;
    }

    static Location of(Path path) {
        URI uri = path.toUri();
        if (uri.getAuthority() == null) {
            throw new IllegalArgumentException(path + " names no bucket");
        }
        String key = uri.getPath();
        return new Location(uri.getAuthority(), key.startsWith("/") ? key.substring(1) : key);
    }

    Location asFolder() {
        return key.isEmpty() || key.endsWith("/") ? this : new Location(bucket, key + "/");
    }

    @Override
    public String toString() {
        return "s3://" + bucket + "/" + key;
    }
}
