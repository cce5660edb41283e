// marv as an application calls it.
const path = require('path');
const marv = require('marv/api/promise');
const driver = require('marv-pg-driver');

marv.scan(path.resolve('migrations'))
    .then((migrations) => marv.migrate(migrations, driver({connection: {}})))
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
