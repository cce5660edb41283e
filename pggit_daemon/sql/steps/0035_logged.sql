-- Step 35: hashes cover what the WAL says, whatever was read from the catalog besides.

-- What the WAL alone says of a name, where that is not how the object is recorded: a definition was read from the catalog, or
-- comparing found it. Hashes cover this; everything else (export, diff, comparing) is about what is recorded.
CREATE TABLE pggit_daemon.logged_otherwise (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type        text NOT NULL,             -- 'unread' for a definition that is not in the WAL; then identity is the address
    schema_name text,
    identity    text NOT NULL,
    classid     oid,
    objid       oid,
    blob        bytea                      -- SHA-256 of the definition; NULL: the WAL knows no such object
);
CREATE INDEX logged_otherwise_identity ON pggit_daemon.logged_otherwise (hashtextextended(identity, 0));

-- The newest commit that later hashes cover, where it is not the newest of all: a snapshot is found by comparing, whenever that
-- is, so no hash of what the WAL brings may depend on it. NULL: the newest of all.
ALTER TABLE pggit_daemon.progress ADD COLUMN chain text;

-- The hash of the schema as recorded, where it is not tree_hash, which is of the schema as the WAL says.
ALTER TABLE pggit.commits ADD COLUMN IF NOT EXISTS recorded_tree text;
