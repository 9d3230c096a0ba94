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

/** A node of Elasticsearch 7. */
public final class Server {
    /** The constructor that takes plugin classes is for subclasses. */
    private static final class Local extends Node {
        Local(Environment environment, Collection<Class<? extends Plugin>> plugins) {
            super(environment, plugins, false);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Launch launch = new Launch(arguments);
        String name = launch.name("es7");
        Settings.Builder settings = Settings.builder().put("http.type", "netty4").put("transport.type", "netty4");
        launch.configure("es7", settings::put);
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> name);
        new Local(environment, List.of(Netty4Plugin.class, PainlessPlugin.class, ReindexPlugin.class,
            CommonAnalysisPlugin.class, MapperExtrasPlugin.class)).start();
        launch.serve();
    }
}
