// db-migrate's own `up`, one migration at a time: the history of Unleash.
//
// In: PGHOST, PGPORT, PGUSER, PGDATABASE. Out: a line `point NAME` after each migration; it goes on when a line comes
// in. Runs in the folder that `node.json` was installed into; started by `sandbox/histories/run.py`.

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const home = process.cwd();
const load = (name) => require(require.resolve(name, { paths: [home] }));
const dbMigrate = load('db-migrate');
load('db-migrate-shared').log.setLogLevel('error');

const unleash = path.join(home, 'node_modules/unleash-server/dist');
const names = fs.readdirSync(path.join(unleash, 'migrations')).filter((name) => name.endsWith('.js')).sort();
const custom = {
    driver: 'pg',
    host: process.env.PGHOST,
    port: Number(process.env.PGPORT),
    user: process.env.PGUSER,
    database: process.env.PGDATABASE,
    schema: 'public',
};

async function main() {
    process.argv.splice(2);
    const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    for (const name of names) {
        const migrate = dbMigrate.getInstance(true, { cwd: unleash, config: { custom }, env: 'custom' });
        await migrate.up(path.basename(name, '.js'));
        process.stdout.write(`point ${name}\n`);
        await answers.next();
    }
    process.exit(0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
