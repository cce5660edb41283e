-- Step 12: what the capture looks for of migration tools, kept by the daemon as its presets say.

-- Advisory locks that a tool holds on another session than the one that runs its DDL. objid 0: any of that classid, where
-- the key is made of names.
CREATE TABLE pggit_daemon.tool_lock (
    classid  oid NOT NULL,
    objid    oid NOT NULL,
    objsubid smallint NOT NULL,
    PRIMARY KEY (classid, objid, objsubid)
);

-- The names under which tools connect that run DDL of theirs on several connections.
CREATE TABLE pggit_daemon.tool_application (
    name text PRIMARY KEY
);

-- The presets: by the columns that a tool's history table always has, its table is integrated when it comes.
CREATE TABLE pggit_daemon.tool_shape (
    preset    text PRIMARY KEY,
    tool_name text NOT NULL,
    columns   text[] NOT NULL,
    keyed     boolean NOT NULL             -- it gets a primary key, maybe after it is made
);

-- objid: the table as it was last seen, by which a table that was renamed meanwhile is known again.
-- number_order: what the numbers of migrations mean (counted, dated, chained, arrival); NULL: not known.
ALTER TABLE pggit_daemon.source
    ADD COLUMN objid oid,
    ADD COLUMN number_order text;
