// Umzug as its own documentation sets it up: files in `migrations`, names in Sequelize's table. Command: up or down.
const {Sequelize} = require('sequelize');
const {SequelizeStorage, Umzug} = require('umzug');

const {PGHOST, PGPORT, PGUSER, PGDATABASE} = process.env;

module.exports = async (command) => {
    const sequelize = new Sequelize(PGDATABASE, PGUSER, '', {host: PGHOST, port: PGPORT, dialect: 'postgres', logging: false});
    const umzug = new Umzug({
        migrations: {glob: 'migrations/*.js'},
        context: sequelize.getQueryInterface(),
        storage: new SequelizeStorage({sequelize}),
        logger: console,
    });
    try {
        if (!await umzug.runAsCLI([command])) {
            throw new Error(`${command} failed`);
        }
    } finally {
        await sequelize.close();
    }
};
