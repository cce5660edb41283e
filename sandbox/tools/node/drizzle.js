// Drizzle's migrator as an application calls it.
const {drizzle} = require('drizzle-orm/node-postgres');
const {migrate} = require('drizzle-orm/node-postgres/migrator');
const {Pool} = require('pg');

module.exports = async () => {
    const pool = new Pool();
    try {
        await migrate(drizzle(pool), {
            migrationsFolder: 'migrations', migrationsSchema: process.env.HISTORY_SCHEMA, migrationsTable: process.env.HISTORY,
        });
    } finally {
        await pool.end();
    }
};
