// postgrator as an application calls it. Argument: the version to go to, or max.
import pg from 'pg';
import Postgrator from 'postgrator';

export default async (version) => {
    const client = new pg.Client();
    await client.connect();
    const postgrator = new Postgrator({
        migrationPattern: 'migrations/*', driver: 'pg', database: process.env.PGDATABASE, schemaTable: process.env.HISTORY ?? 'schemaversion',
        execQuery: (query) => client.query(query),
    });
    try {
        await postgrator.migrate(version);
    } finally {
        await client.end();
    }
};
