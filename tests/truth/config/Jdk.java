import com.sun.net.httpserver.*;
import java.io.FileInputStream;
import java.net.InetSocketAddress;
import java.security.KeyStore;
import java.util.concurrent.Executors;
import javax.net.ssl.*;

/** The JDK's own server. */
public class Jdk {
    static void answer(HttpExchange exchange) throws java.io.IOException {
        exchange.getRequestBody().readAllBytes();
        try {
            Thread.sleep(exchange.getRequestURI().getPath().contains("slow") ? 1000 : 0);
        } catch (InterruptedException e) {
            throw new java.io.IOException(e);
        }
        exchange.sendResponseHeaders(200, 2);
        exchange.getResponseBody().write("{}".getBytes());
        exchange.close();
    }

    public static void main(String[] arguments) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(new FileInputStream("@p12@"), "hangup".toCharArray());
        KeyManagerFactory managers = KeyManagerFactory.getInstance("SunX509");
        managers.init(keys, "hangup".toCharArray());
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(managers.getKeyManagers(), null, null);
        HttpServer clear = HttpServer.create(new InetSocketAddress("127.0.0.1", @port_h1@), 0);
        HttpsServer secure = HttpsServer.create(new InetSocketAddress("127.0.0.1", @port_h1s@), 0);
        secure.setHttpsConfigurator(new HttpsConfigurator(tls));
        for (HttpServer server : new HttpServer[] { clear, secure }) {
            server.createContext("/", Jdk::answer);
            server.setExecutor(Executors.newCachedThreadPool());
            server.start();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(5)));
        }
    }
}
