// MikroORM's migrator as an application calls it. Command: up or down; then whether all is one
// transaction.
const {MikroORM} = require('@mikro-orm/postgresql');
const {Migrator} = require('@mikro-orm/migrations');
const {EntitySchema} = require('@mikro-orm/core');

const {PGHOST, PGPORT, PGUSER, PGDATABASE} = process.env;
const nothing = new EntitySchema({name: 'Nothing', properties: {id: {type: 'number', primary: true}}});

(async () => {
    const orm = await MikroORM.init({
        host: PGHOST, port: +PGPORT, user: PGUSER, dbName: PGDATABASE, entities: [nothing], extensions: [Migrator],
        migrations: {path: 'migrations', glob: '*.js', allOrNothing: process.argv[3] === 'true', snapshot: false, emit: 'js'},
    });
    await orm.getMigrator()[process.argv[2]]();
    await orm.close();
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
