-- Step 14: what the capture knows without a query. Sequences, as their values are read from memory.

-- When the session began, in microseconds, as the session itself found out: `currval` is its own, and no user's.
CREATE SEQUENCE pggit_daemon.session_start;

-- What the capture looks for beside a statement: no value: nothing; 1: which history tables its session used; 2: also the
-- advisory locks of tools. Where no tool holds any, no capture asks: the server's answer grows with all its sessions.
CREATE SEQUENCE pggit_daemon.tool_watch;
SELECT setval('pggit_daemon.tool_watch', 2) WHERE EXISTS (SELECT FROM pggit_daemon.source);
