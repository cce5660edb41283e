// marv as an application calls it.
const path = require('path');
const marv = require('marv/api/promise');
const driver = require('marv-pg-driver');

module.exports = async () => {
    const migrations = await marv.scan(path.resolve('migrations'));
    await marv.migrate(migrations, driver({connection: {}}));
};
