import java.io.IOException;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.server.*;
import org.eclipse.jetty.server.handler.AbstractHandler;
import org.eclipse.jetty.server.handler.StatisticsHandler;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** Jetty with an idle time of 2 s. */
public class Jetty extends AbstractHandler {
    @Override
    public void handle(String target, Request base, HttpServletRequest request, HttpServletResponse response) throws IOException {
        request.getInputStream().readAllBytes();
        try {
            Thread.sleep(target.contains("slow") ? 1000 : 0);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        response.setContentLength(2);
        response.getOutputStream().print("{}");
        base.setHandled(true);
    }

    static void listen(Server server, int port, ConnectionFactory... factories) {
        ServerConnector connector = new ServerConnector(server, factories);
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        connector.setIdleTimeout(2000);
        server.addConnector(connector);
    }

    public static void main(String[] arguments) throws Exception {
        Server server = new Server();
        HttpConfiguration clear = new HttpConfiguration(), secure = new HttpConfiguration();
        secure.addCustomizer(new SecureRequestCustomizer(false));
        SslContextFactory.Server tls = new SslContextFactory.Server();
        tls.setKeyStorePath("@p12@");
        tls.setKeyStorePassword("hangup");
        ALPNServerConnectionFactory alpn = new ALPNServerConnectionFactory("h2");
        listen(server, @port_h1@, new HttpConnectionFactory(clear));
        listen(server, @port_h1s@, new SslConnectionFactory(tls, "http/1.1"), new HttpConnectionFactory(secure));
        listen(server, @port_h2@, new SslConnectionFactory(tls, "alpn"), alpn, new HTTP2ServerConnectionFactory(secure));
        listen(server, @port_h2c@, new HTTP2CServerConnectionFactory(clear));
        StatisticsHandler statistics = new StatisticsHandler(); // which a graceful stop needs
        statistics.setHandler(new Jetty());
        server.setHandler(statistics);
        server.setStopTimeout(5000);
        server.setStopAtShutdown(true);
        server.start();
        server.join();
    }
}
