// postgres-migrations as an application calls it.
const {Client} = require('pg');
const {migrate} = require('postgres-migrations');

module.exports = async () => {
    const client = new Client();
    await client.connect();
    try {
        await migrate({client}, 'migrations');
    } finally {
        await client.end();
    }
};
