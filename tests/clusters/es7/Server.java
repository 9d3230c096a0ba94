import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.elasticsearch.analysis.common.CommonAnalysisPlugin;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.mapper.MapperExtrasPlugin;
import org.elasticsearch.index.reindex.ReindexPlugin;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.painless.PainlessPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.transport.Netty4Plugin;

/** Elasticsearch 7.10.2, one node. */
public final class Server {
    /** The constructor that takes plugin classes is for subclasses. */
    private static final class Local extends Node {
        Local(Environment environment, Collection<Class<? extends Plugin>> plugins) {
            super(environment, plugins, false);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Launch launch = new Launch(arguments);
        Settings settings = Settings.builder()
            .put("cluster.name", "watchbell-es7")
            .put("node.name", "es7")
            .put("path.home", launch.home.toString())
            .put("path.data", launch.home.resolve("data").toString())
            .put("http.type", "netty4")
            .put("transport.type", "netty4")
            .put("network.host", "127.0.0.1")
            .put("http.port", launch.httpPort)
            .put("transport.port", launch.transportPort)
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "es7");
        new Local(environment, List.of(Netty4Plugin.class, PainlessPlugin.class, ReindexPlugin.class,
            CommonAnalysisPlugin.class, MapperExtrasPlugin.class)).start();
        launch.serve();
    }
}
