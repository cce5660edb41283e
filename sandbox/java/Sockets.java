import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.net.SocketFactory;

/** The sockets of one run in the resident JVM (the driver's setting {@code socketFactory}): all are closed at its end. */
public class Sockets extends SocketFactory {
    private static final Queue<Socket> MADE = new ConcurrentLinkedQueue<>();

    public static void closeAll() throws IOException {
        for (Socket socket = MADE.poll(); socket != null; socket = MADE.poll()) {
            socket.close();
        }
    }

    private static Socket kept(Socket socket) {
        MADE.add(socket);
        return socket;
    }

    @Override
    public Socket createSocket() {
        return kept(new Socket());
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return kept(new Socket(host, port));
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress from, int fromPort) throws IOException {
        return kept(new Socket(host, port, from, fromPort));
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return kept(new Socket(host, port));
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress from, int fromPort) throws IOException {
        return kept(new Socket(host, port, from, fromPort));
    }
}
