// postgrator as an application calls it. Argument: the version to go to, or max.
import pg from 'pg';
import Postgrator from 'postgrator';

const client = new pg.Client();
await client.connect();
const postgrator = new Postgrator({
    migrationPattern: 'migrations/*', driver: 'pg', database: process.env.PGDATABASE, schemaTable: process.env.HISTORY ?? 'schemaversion',
    execQuery: (query) => client.query(query),
});
try {
    await postgrator.migrate(process.argv[2]);
} catch (error) {
    console.error(error);
    process.exitCode = 1;
} finally {
    await client.end();
}
