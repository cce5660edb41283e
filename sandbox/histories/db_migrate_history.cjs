// db-migrate's own `up`, from one look to the next: the history of Unleash.
//
// In: PGHOST, PGPORT, PGUSER, PGDATABASE, and LOOKS: after which of the migrations to wait. Out: a line `point NAME` for
// each migration; after those it goes on when a line comes in. Runs in the folder that `node.json` was installed into;
// started by `sandbox/histories/run.py`.

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
    let done = 0;
    for (const look of process.env.LOOKS.split(',').map(Number)) {
        const migrate = dbMigrate.getInstance(true, { cwd: unleash, config: { custom }, env: 'custom' });
        await migrate.up(path.basename(names[look - 1], '.js'));
        process.stdout.write(names.slice(done, look).map((name) => `point ${name}\n`).join(''));
        done = look;
        await answers.next();
    }
    process.exit(0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
