import java.io.IOException;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the three servers share: where they live, when they are ready, and that they end with whoever started them. */
final class Launch {
    /** Kept from the beginning: a server may turn System.out into log lines. */
    private static final PrintStream OUT = System.out;

    final int httpPort;
    final int transportPort;
    final Path home;

    /** Arguments: HTTP port, transport port, an empty folder for data. */
    Launch(String[] arguments) throws IOException {
        httpPort = Integer.parseInt(arguments[0]);
        transportPort = Integer.parseInt(arguments[1]);
        home = Path.of(arguments[2]).toAbsolutePath();
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

    /** Waits until the cluster answers, says so, and stays. */
    void serve() throws Exception {
        String url = "http://127.0.0.1:" + httpPort;
        while (!healthy(url)) Thread.sleep(100);
        OUT.println("READY " + url);
        Thread.currentThread().join();
    }

    private static boolean healthy(String url) {
        try {
            var health = URI.create(url + "/_cluster/health?wait_for_status=yellow&timeout=1s").toURL();
            HttpURLConnection connection = (HttpURLConnection) health.openConnection();
            connection.setConnectTimeout(1000);
            connection.setReadTimeout(3000);
            return connection.getResponseCode() == 200;
        } catch (IOException notYet) {
            return false;
        }
    }
}
