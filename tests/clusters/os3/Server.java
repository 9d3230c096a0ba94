import java.nio.file.Files;
import java.nio.file.Path;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** A node of OpenSearch. */
public final class Server {
    public static void main(String[] arguments) throws Exception {
        Launch launch = new Launch(arguments);
        // The runner's own file is for clusters of one node.
        Path own = launch.home.resolve("config").resolve("opensearch.yml");
        if (!Files.exists(own)) Files.createFile(own);
        new OpenSearchRunner()
            .onBuild((number, settings) -> {
                // What is not said, the runner makes a cluster of one node.
                settings.put("discovery.type", "zen");
                launch.configure("os3", settings::put);
            })
            .build("-clusterName", "watchbell-os3", "-numOfNode", "1", "-basePath", launch.home.toString(),
                "-confPath", launch.home.resolve("config").toString());
        launch.serve();
    }
}
