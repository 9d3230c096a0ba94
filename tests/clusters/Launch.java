import java.io.IOException;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;

/** What the servers share: where they live, when they are ready, and that they end with whoever started them. */
final class Launch {
    /** Kept from the beginning: a server may turn System.out into log lines. */
    private static final PrintStream OUT = System.out;

    final int httpPort;
    final int transportPort;
    final Path home;
    /** What the caller wants to be set; nothing: a cluster of one node. */
    private final Map<String, String> settings = new LinkedHashMap<>();

    /** Arguments: HTTP port, transport port, a folder for data, and settings as `NAME=VALUE`. */
    Launch(String[] arguments) throws IOException {
        httpPort = Integer.parseInt(arguments[0]);
        transportPort = Integer.parseInt(arguments[1]);
        home = Path.of(arguments[2]).toAbsolutePath();
        for (String setting : Arrays.asList(arguments).subList(3, arguments.length)) {
            String[] parts = setting.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        Files.createDirectories(home.resolve("config"));
        Files.createDirectories(home.resolve("data"));
        // A server that cannot start leaves threads behind that would keep it alive.
        Thread.currentThread().setUncaughtExceptionHandler((thread, failure) -> {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        // Standard input is held by the starter alone: its end means that nobody needs this server any more.
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {}
            } catch (IOException closed) {
                // The same as its end.
            }
            Runtime.getRuntime().halt(0);
        }, "starter");
        watch.setDaemon(true);
        watch.start();
    }

    /** Hands every setting to `put`: those that all servers have, then those of the caller. */
    void configure(String name, BiConsumer<String, String> put) {
        put.accept("cluster.name", "watchbell-" + name);
        put.accept("node.name", name);
        put.accept("path.home", home.toString());
        put.accept("path.data", home.resolve("data").toString());
        put.accept("network.host", "127.0.0.1");
        put.accept("http.port", Integer.toString(httpPort));
        put.accept("transport.port", Integer.toString(transportPort));
        if (isAlone()) {
            put.accept("discovery.type", "single-node");
            put.accept("cluster.routing.allocation.disk.threshold_enabled", "false");
        }
        settings.forEach(put);
    }

    private boolean isAlone() {
        return settings.isEmpty();
    }

    /** The node's name among its settings. */
    String name(String otherwise) {
        return settings.getOrDefault("node.name", otherwise);
    }

    /** Waits until the cluster answers, says so, and stays. */
    void serve() throws Exception {
        String url = "http://127.0.0.1:" + httpPort;
        // A node of several is ready once it has a master: shards may be missing on purpose.
        String wanted = isAlone() ? "wait_for_status=yellow&timeout=1s" : "timeout=1s&master_timeout=1s";
        while (!healthy(url + "/_cluster/health?" + wanted)) Thread.sleep(100);
        OUT.println("READY " + url);
        Thread.currentThread().join();
    }

    private static boolean healthy(String url) {
        try {
            HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
            connection.setConnectTimeout(1000);
            connection.setReadTimeout(3000);
            return connection.getResponseCode() == 200;
        } catch (IOException notYet) {
            return false;
        }
    }
}
