// An application that stays, and runs its migrations whenever it is told to.
//
// In: a descriptor and the application's own program as arguments; on standard input a line for each run, its words as JSON.
// Out: what the run prints; on the descriptor its exit code, once its connections are closed. It ends with a run that
// failed, as an application does that cannot begin.

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const {pathToFileURL} = require('node:url');

const CLOSED = 10_000; // milliseconds until a run must have closed its connections
const [codes, program] = process.argv.slice(2);

/** Scripts may have been written anew since the run before. */
function forgetScripts() {
    for (const name of Object.keys(require.cache)) {
        if (!name.includes('/node_modules/')) {
            delete require.cache[name];
        }
    }
}

async function untilClosed() {
    const late = Date.now() + CLOSED;
    while (process.getActiveResourcesInfo().includes('TCPSocketWrap')) {
        if (Date.now() > late) {
            throw new Error('the run left a connection open');
        }
        await new Promise((done) => setTimeout(done, 2));
    }
}

async function main() {
    for await (const line of readline.createInterface({input: process.stdin})) {
        let code = 0;
        try {
            forgetScripts();
            const {default: migrate} = await import(pathToFileURL(path.resolve(program)));
            await migrate(...JSON.parse(line));
            await untilClosed();
        } catch (error) {
            console.error(error);
            code = 1;
        }
        fs.writeSync(Number(codes), `${code}\n`);
        if (code !== 0) {
            process.exit(code);
        }
    }
}

main();
