import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;

/**
 * A service as frameworks make one: Flyway runs at its start on the service's own pool of two connections, then the
 * service runs DDL of its own, each statement on every connection of the pool, which ran Flyway's a moment before.
 * Arguments: URL, user, password, folder of scripts, statements ({@code %d} is the number of the connection).
 */
public class Service {
    private static final int CONNECTIONS = 2;

    /** Return the exit code. */
    public static int run(String[] arguments) throws SQLException {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(arguments[0]);
        config.setDriverClassName("org.postgresql.Driver");
        config.setUsername(arguments[1]);
        config.setPassword(arguments[2]);
        config.setMaximumPoolSize(CONNECTIONS);
        try (HikariDataSource pool = new HikariDataSource(config)) {
            Flyway.configure().dataSource(pool).locations("filesystem:" + arguments[3]).load().migrate();
            for (int index = 4; index < arguments.length; index++) {
                onEach(pool, arguments[index]);
            }
        } catch (FlywayException failure) {
            System.out.println("FAILED " + failure.getMessage());
            return 1;
        }
        return 0;
    }

    private static void onEach(HikariDataSource pool, String statement) throws SQLException {
        List<Connection> taken = new ArrayList<>();
        try {
            for (int number = 1; number <= CONNECTIONS; number++) {
                taken.add(pool.getConnection());
                try (Statement run = taken.get(number - 1).createStatement()) {
                    run.execute(String.format(statement, number));
                }
            }
        } finally {
            for (Connection connection : taken) {
                connection.close();
            }
        }
    }
}
