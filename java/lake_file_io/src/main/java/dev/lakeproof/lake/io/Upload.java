// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CompletedPart;

/** An object that is sent in parts; it is not there before {@link #complete}. */
final class Upload {
    private final S3Client client;
    private final Location location;
    private final String id;
    private final List<CompletedPart> parts = new ArrayList<>();

    Upload(S3Client client, Location location, String id) {
        this.client = client;
        this.location = location;
        this.id = id;
    }

    void add(byte[] bytes) throws IOException {
        int number = parts.size() + 1;
        String tag = ObjectStore.asking(location, () -> client.uploadPart(
                        request -> request.bucket(location.bucket).key(location.key).uploadId(id).partNumber(number),
                        RequestBody.fromBytes(bytes))
                .eTag());
        parts.add(CompletedPart.builder().partNumber(number).eTag(tag).build());
    }

    void complete() throws IOException {
        ObjectStore.asking(location, () -> client.completeMultipartUpload(request -> request.bucket(location.bucket)
                .key(location.key)
                .uploadId(id)
                .multipartUpload(all -> all.parts(parts))));
    }

    void abort() throws IOException {
        ObjectStore.asking(location, () -> client.abortMultipartUpload(
                request -> request.bucket(location.bucket).key(location.key).uploadId(id)));
    }
}
