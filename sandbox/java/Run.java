import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;

/**
 * Runs Flyway commands, one after the other, in one JVM: {@code java -cp 'classes:lib/*' Run migrate info key=value …}.
 * Arguments with an equals sign are configuration; the others are commands. The first failure ends the run with 1.
 */
public class Run {
    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    /** Return the exit code. */
    public static int run(String[] arguments) {
        Map<String, String> configuration = new HashMap<>();
        List<String> commands = new ArrayList<>();
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (equals < 0) {
                commands.add(argument);
            } else {
                configuration.put(argument.substring(0, equals), argument.substring(equals + 1));
            }
        }
        try {
            Flyway flyway = Flyway.configure().configuration(configuration).load();
            for (String command : commands) {
                run(flyway, command);
            }
        } catch (FlywayException failure) {
            System.out.println("FAILED " + failure.getMessage());
            return 1;
        }
        return 0;
    }

    private static void run(Flyway flyway, String command) {
        switch (command) {
            case "migrate" -> System.out.println("migrated " + flyway.migrate().migrationsExecuted);
            case "repair" -> System.out.println("repaired " + flyway.repair().repairActions);
            case "baseline" -> System.out.println("baselined " + flyway.baseline().baselineVersion);
            case "clean" -> System.out.println("cleaned " + flyway.clean().schemasCleaned);
            case "info" -> {
                for (var migration : flyway.info().all()) {
                    System.out.println("info " + migration.getVersion() + " " + migration.getState()
                            + " " + migration.getScript());
                }
            }
            default -> throw new FlywayException("unknown command: " + command);
        }
    }
}
