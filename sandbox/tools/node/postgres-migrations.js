// postgres-migrations as an application calls it.
const {Client} = require('pg');
const {migrate} = require('postgres-migrations');

const client = new Client();
client.connect()
    .then(() => migrate({client}, 'migrations'))
    .then(() => client.end())
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
