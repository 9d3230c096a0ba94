import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.transport.Netty4Plugin;

/** A node of Elasticsearch 6.8. */
public final class Server {
    /** What later versions call these settings. */
    private static final Map<String, String> OLD_NAMES =
        Map.of("discovery.seed_hosts", "discovery.zen.ping.unicast.hosts");

    /** The constructor that takes plugin classes is for subclasses. */
    private static final class Local extends Node {
        Local(Environment environment, Collection<Class<? extends Plugin>> plugins) {
            super(environment, plugins, false);
        }

        @Override
        protected void registerDerivedNodeNameWithLogger(String name) {}
    }

    public static void main(String[] arguments) throws Exception {
        Launch launch = new Launch(arguments);
        Settings.Builder settings = Settings.builder().put("http.type", "netty4").put("transport.type", "netty4");
        launch.configure("es6", (key, value) -> {
            // Later versions are told who may be the first master, this one how many masters it takes.
            if (!key.equals("cluster.initial_master_nodes")) settings.put(OLD_NAMES.getOrDefault(key, key), value);
        });
        settings.put("discovery.zen.minimum_master_nodes", 1);
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings.build(), null, Map.of(), null);
        new Local(environment, List.of(Netty4Plugin.class)).start();
        launch.serve();
    }
}
