/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.flink;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.runtime.io.network.netty.InboundChannelHandlerFactory;
import org.apache.flink.shaded.netty4.io.netty.buffer.Unpooled;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelFutureListener;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelHandler;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelHandlerAdapter;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelHandlerContext;
import org.apache.flink.shaded.netty4.io.netty.channel.ChannelInboundHandlerAdapter;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.DefaultFullHttpResponse;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpMethod;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpRequest;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpResponseStatus;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpServerCodec;
import org.apache.flink.shaded.netty4.io.netty.handler.codec.http.HttpVersion;
import org.apache.flink.shaded.netty4.io.netty.util.ReferenceCountUtil;

/**
 * Stands before Flink's REST API (JobManager and SQL gateway), and refuses what a web page of another site sends.
 *
 * <p>A browser on this machine reaches the API for any page that it shows, and the API runs code that is uploaded to
 * it. Flink's own setting, web.access-control-allow-origin, only hides answers from such a page: the upload of a jar
 * is a "simple" request, which the browser sends without asking first, and Flink carries it out. Flink finds this
 * class by ServiceLoader.
 */
public final class RestGuard implements InboundChannelHandlerFactory {
    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "[::1]");

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public Optional<ChannelHandler> createHandler(Configuration configuration, Map<String, String> responseHeaders) {
        return Optional.of(new Placing(configuration.get(RestOptions.ADDRESS)));
    }

    /** Why a request is refused; null where it is let through. */
    static Refusal refusalOf(HttpRequest request, String ownAddress) {
        String host = request.headers().get("Host", "");
        String name = nameIn(host);
        if (!LOOPBACK.contains(name) && !name.equalsIgnoreCase(ownAddress)) {
            // A page of another site whose name resolves to 127.0.0.1 (DNS rebinding) is "same origin" to a browser.
            return new Refusal(
                    HttpResponseStatus.MISDIRECTED_REQUEST, "Flink does not answer to that Host: use its own address");
        }
        String origin = request.headers().get("Origin");
        if (origin != null && !origin.equalsIgnoreCase("http://" + host)) {
            return new Refusal(HttpResponseStatus.FORBIDDEN, "web pages of other sites may not use this API");
        }
        String path = request.uri().split("\\?", 2)[0];
        if (path.endsWith("/yarn-cancel") || path.endsWith("/yarn-stop")) {
            return new Refusal(HttpResponseStatus.FORBIDDEN, "a GET must change nothing: use PATCH /jobs/ID");
        }
        // A GET by <img> or <script> has no Origin. Following a link to Flink's own pages is all right.
        String site = request.headers().get("Sec-Fetch-Site", "none");
        boolean followsLink =
                HttpMethod.GET.equals(request.method())
                        && "navigate".equals(request.headers().get("Sec-Fetch-Mode"))
                        && "document".equals(request.headers().get("Sec-Fetch-Dest"));
        if (!site.equals("none") && !site.equals("same-origin") && !followsLink) {
            return new Refusal(HttpResponseStatus.FORBIDDEN, "web pages of other sites may not use this API");
        }
        return null;
    }

    private static String nameIn(String host) {
        try {
            String name = URI.create("http://" + host).getHost();
            return name == null ? "" : name.toLowerCase();
        } catch (IllegalArgumentException notAnAddress) {
            return "";
        }
    }

    /** A refusal's status and reason. */
    record Refusal(HttpResponseStatus status, String reason) {}

    /** Puts the guard first. Flink adds its own handlers before ours, and one of those writes uploads to disk. */
    private static final class Placing extends ChannelHandlerAdapter {
        private final String ownAddress;

        Placing(String ownAddress) {
            this.ownAddress = ownAddress;
        }

        @Override
        public void handlerAdded(ChannelHandlerContext context) {
            String codec = context.pipeline().context(HttpServerCodec.class).name();
            context.pipeline().addAfter(codec, "lakeproof-guard", new Guarding(ownAddress)).remove(this);
        }
    }

    /** Lets each request of one connection through whole, or answers with a refusal and closes the connection. */
    private static final class Guarding extends ChannelInboundHandlerAdapter {
        private final String ownAddress;
        private boolean refused;

        Guarding(String ownAddress) {
            this.ownAddress = ownAddress;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (!refused && message instanceof HttpRequest request) {
                Refusal refusal = refusalOf(request, ownAddress);
                if (refusal != null) {
                    refused = true;
                    answer(context, refusal);
                }
            }
            if (refused) {
                ReferenceCountUtil.release(message);
            } else {
                context.fireChannelRead(message);
            }
        }

        private static void answer(ChannelHandlerContext context, Refusal refusal) {
            byte[] body = ("{\"errors\":[\"" + refusal.reason() + "\"]}").getBytes(StandardCharsets.UTF_8);
            var response =
                    new DefaultFullHttpResponse(
                            HttpVersion.HTTP_1_1, refusal.status(), Unpooled.wrappedBuffer(body));
            response.headers().set("Content-Type", "application/json").set("Content-Length", body.length);
            response.headers().set("Connection", "close");
            context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
        }
    }
}
