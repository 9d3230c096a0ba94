import static org.codelibs.opensearch.runner.OpenSearchRunner.newConfigs;

import org.codelibs.opensearch.runner.OpenSearchRunner;

/** OpenSearch 3.8.0, one node. */
public final class Server {
    public static void main(String[] arguments) throws Exception {
        Launch launch = new Launch(arguments);
        new OpenSearchRunner().onBuild((number, settings) -> {
            settings.put("node.name", "os3");
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", launch.httpPort);
            settings.put("transport.port", launch.transportPort);
            settings.put("discovery.type", "single-node");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        }).build(newConfigs().clusterName("watchbell-os3").numOfNode(1).basePath(launch.home.toString()));
        launch.serve();
    }
}
