// Drizzle's migrator as an application calls it.
const {drizzle} = require('drizzle-orm/node-postgres');
const {migrate} = require('drizzle-orm/node-postgres/migrator');
const {Pool} = require('pg');

const pool = new Pool();
migrate(drizzle(pool), {
    migrationsFolder: 'migrations', migrationsSchema: process.env.HISTORY_SCHEMA, migrationsTable: process.env.HISTORY,
})
    .then(() => pool.end())
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
