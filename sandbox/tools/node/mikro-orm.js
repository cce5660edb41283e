// MikroORM's migrator as an application calls it. Command: up or down; then whether all is one
// transaction.
const {MikroORM} = require('@mikro-orm/postgresql');
const {Migrator} = require('@mikro-orm/migrations');
const {EntitySchema} = require('@mikro-orm/core');

const {PGHOST, PGPORT, PGUSER, PGDATABASE} = process.env;

module.exports = async (command, together) => {
    const nothing = new EntitySchema({name: 'Nothing', properties: {id: {type: 'number', primary: true}}});
    const orm = await MikroORM.init({
        host: PGHOST, port: +PGPORT, user: PGUSER, dbName: PGDATABASE, entities: [nothing], extensions: [Migrator],
        migrations: {path: 'migrations', glob: '*.js', allOrNothing: together === 'true', snapshot: false, emit: 'js'},
    });
    try {
        await orm.getMigrator()[command]();
    } finally {
        await orm.close();
    }
};
