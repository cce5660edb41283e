import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.security.ProtectionDomain;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/**
 * The class loader of one run: it defines the classes of the tool anew, so that each run begins with fresh static fields.
 * Libraries, the driver among them, come from its parent, which stays. What it defines is read from the jars once and kept
 * as bytes: reading, inflating and looking for signatures took as long as defining.
 */
final class OneRun extends ClassLoader {
    /** The tool's own jars and folders of classes, as all runs share them. */
    static final class Tool {
        private record Definition(byte[] bytes, ProtectionDomain domain) {}

        private final Map<String, Definition> classes = new HashMap<>();
        private final URLClassLoader resources;

        Tool(String path) throws IOException {
            resources = new URLClassLoader(places(path), null);
            for (String place : path.split(File.pathSeparator)) {
                // A domain that names no loader: a thread that a library starts keeps the domains it was started under.
                CodeSource source = new CodeSource(new File(place).toURI().toURL(), (Certificate[]) null);
                ProtectionDomain domain = new ProtectionDomain(source, null);
                if (place.endsWith(File.separator)) {
                    readFolder(Path.of(place), domain);
                } else {
                    readJar(place, domain);
                }
            }
        }

        private void readFolder(Path folder, ProtectionDomain domain) throws IOException {
            try (var files = Files.newDirectoryStream(folder, "*.class")) {
                for (Path file : files) {
                    keep(file.getFileName().toString(), Files.readAllBytes(file), domain);
                }
            }
        }

        private void readJar(String place, ProtectionDomain domain) throws IOException {
            try (JarFile jar = new JarFile(place)) {
                for (JarEntry entry : Collections.list(jar.entries())) {
                    if (entry.getName().endsWith(".class")) {
                        try (InputStream in = jar.getInputStream(entry)) {
                            keep(entry.getName(), in.readAllBytes(), domain);
                        }
                    }
                }
            }
        }

        private void keep(String file, byte[] bytes, ProtectionDomain domain) {
            String name = file.substring(0, file.length() - ".class".length()).replace('/', '.');
            classes.putIfAbsent(name, new Definition(bytes, domain));
        }
    }

    static {
        registerAsParallelCapable();
    }

    private final Tool tool;

    OneRun(Tool tool, ClassLoader libraries) {
        super(libraries);
        this.tool = tool;
    }

    /** The tool's own first: asking the libraries for each of a thousand classes costs an exception each. */
    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        Tool.Definition definition = tool.classes.get(name);
        if (definition == null) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            byte[] bytes = definition.bytes();
            return loaded != null ? loaded : defineClass(name, bytes, 0, bytes.length, definition.domain());
        }
    }

    @Override
    protected URL findResource(String name) {
        return tool.resources.findResource(name);
    }

    @Override
    protected Enumeration<URL> findResources(String name) throws IOException {
        return tool.resources.findResources(name);
    }

    static URL[] places(String path) throws IOException {
        String[] names = path.split(File.pathSeparator);
        URL[] places = new URL[names.length];
        for (int index = 0; index < names.length; index++) {
            places[index] = new File(names[index]).toURI().toURL();
        }
        return places;
    }
}
