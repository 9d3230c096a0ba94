import org.codelibs.opensearch.runner.OpenSearchRunner;

/** A node of OpenSearch. */
public final class Server {
    public static void main(String[] arguments) throws Exception {
        Launch launch = new Launch(arguments);
        new OpenSearchRunner()
            .onBuild((number, settings) -> launch.configure("os3", settings::put))
            .build("-clusterName", "watchbell-os3", "-numOfNode", "1", "-basePath", launch.home.toString(),
                "-confPath", launch.home.resolve("config").toString());
        launch.serve();
    }
}
