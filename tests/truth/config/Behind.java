import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

/** The application in Tomcat. */
public class Behind extends HttpServlet {
    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        request.getInputStream().readAllBytes();
        try {
            Thread.sleep(request.getRequestURI().contains("slow") ? 1000 : 0);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        response.setContentLength(2);
        response.getOutputStream().print("{}");
    }
}
