import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URLClassLoader;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.logging.LogManager;

/**
 * A JVM that runs programs one after the other, so that only the first pays for its start. Each run has a class loader
 * of its own for the program's classes, so that nothing they keep in static fields is there in the next run. Between runs
 * the connections are closed, and the system's properties, the logging and the streams are as in a fresh JVM. What the
 * libraries below the program keep in static fields stays.
 *
 * Standard input: the number of words, then the words: the libraries (jars and folders of classes, with
 * File.pathSeparator between them), the program's own in the same form, the class, its arguments. Its
 * {@code static int run(String[])} is called, or {@code int execute(String...)} of a new instance. Standard output: the
 * exit code, the length of what the program printed, and that.
 */
public class Resident {
    /** What is printed goes to the run at hand, also by those who kept the stream of an earlier one. */
    private static final class Printed extends OutputStream {
        private ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int single) {
            bytes.write(single);
        }

        @Override
        public synchronized void write(byte[] source, int offset, int length) {
            bytes.write(source, offset, length);
        }

        synchronized byte[] taken() {
            byte[] all = bytes.toByteArray();
            bytes = new ByteArrayOutputStream();
            return all;
        }
    }

    private static final Map<String, ClassLoader> LIBRARIES = new HashMap<>();
    private static final Map<String, OneRun.Tool> TOOLS = new HashMap<>();

    public static void main(String[] none) throws Exception {
        DataInputStream requests = new DataInputStream(System.in);
        DataOutputStream answers = new DataOutputStream(new FileOutputStream(FileDescriptor.out));
        Printed printed = new Printed();
        System.setOut(new PrintStream(printed, true));
        System.setErr(System.out);
        while (true) {
            String[] words;
            try {
                words = new String[requests.readInt()];
            } catch (EOFException ended) {
                System.exit(0);
                return;
            }
            for (int index = 0; index < words.length; index++) {
                words[index] = requests.readUTF();
            }
            int code = runApart(words);
            byte[] output = printed.taken();
            answers.writeInt(code);
            answers.writeInt(output.length);
            answers.write(output);
            answers.flush();
        }
    }

    /** Run with the properties and the logging of a fresh JVM, in a thread of its own. */
    private static int runApart(String[] words) throws IOException, InterruptedException {
        Properties before = (Properties) System.getProperties().clone();
        LogManager.getLogManager().readConfiguration();
        int[] code = {1};
        try {
            ClassLoader libraries = libraries(words[0]);
            ClassLoader loader = new OneRun(tool(words[1]), libraries);
            Thread program = new Thread(() -> code[0] = run(loader, words), "main");
            program.setContextClassLoader(loader);
            program.start();
            program.join();
            closeConnections(libraries);
        } finally {
            System.setProperties(before);
        }
        return code[0];
    }

    private static int run(ClassLoader loader, String[] words) {
        Object arguments = Arrays.copyOfRange(words, 3, words.length);
        try {
            Class<?> program = Class.forName(words[2], true, loader);
            try {
                return (Integer) program.getMethod("run", String[].class).invoke(null, arguments);
            } catch (NoSuchMethodException commandLine) {
                Object instance = program.getConstructor().newInstance();
                return (Integer) program.getMethod("execute", String[].class).invoke(instance, arguments);
            }
        } catch (InvocationTargetException failure) {
            failure.getCause().printStackTrace();
        } catch (ReflectiveOperationException | LinkageError failure) {
            failure.printStackTrace();
        }
        return 1;
    }

    private static ClassLoader libraries(String path) throws IOException {
        ClassLoader libraries = LIBRARIES.get(path);
        if (libraries == null) {
            libraries = new URLClassLoader(OneRun.places(path), ClassLoader.getPlatformClassLoader());
            LIBRARIES.put(path, libraries);
        }
        return libraries;
    }

    private static OneRun.Tool tool(String path) throws IOException {
        OneRun.Tool tool = TOOLS.get(path);
        if (tool == null) {
            tool = new OneRun.Tool(path);
            TOOLS.put(path, tool);
        }
        return tool;
    }

    /** Close what the program left open, as the end of its process would. */
    private static void closeConnections(ClassLoader libraries) {
        try {
            Class.forName("Sockets", true, libraries).getMethod("closeAll").invoke(null);
        } catch (ReflectiveOperationException | LinkageError failure) {
            failure.printStackTrace();
        }
    }
}
