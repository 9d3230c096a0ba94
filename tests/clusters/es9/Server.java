import com.carrotsearch.randomizedtesting.RandomizedRunner;
import com.carrotsearch.randomizedtesting.annotations.ThreadLeakScope;
import com.carrotsearch.randomizedtesting.annotations.Timeout;
import com.carrotsearch.randomizedtesting.annotations.TimeoutSuite;
import java.util.List;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.MockNode;
import org.elasticsearch.transport.netty4.Netty4Plugin;
import org.junit.Test;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.RunWith;
import org.junit.runner.notification.Failure;

/** A node of Elasticsearch 8 or 9. Its test framework draws random values, which only its runner allows. */
@RunWith(RandomizedRunner.class)
@ThreadLeakScope(ThreadLeakScope.Scope.NONE)
@TimeoutSuite(millis = 0)
public class Server {
    private static Launch launch;

    public static void main(String[] arguments) throws Exception {
        launch = new Launch(arguments);
        // Elasticsearch 8 looks for its loggers before its test framework has made them.
        LogConfigurator.configureESLogging();
        Result result = JUnitCore.runClasses(Server.class);
        for (Failure failure : result.getFailures()) System.err.println(failure.getTrace());
        System.exit(1);
    }

    @Test
    @Timeout(millis = 0)
    public void run() throws Exception {
        // The framework's fixed seed would give all nodes of a cluster the same id.
        Settings.Builder settings = Settings.builder().put("node.id.seed", launch.transportPort);
        launch.configure("es9", settings::put);
        new MockNode(settings.build(), List.of(Netty4Plugin.class)).start();
        launch.serve();
    }
}
