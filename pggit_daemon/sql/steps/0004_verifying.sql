-- Step 4: what the comparison of the recorded tree with the catalog remembers.

-- The last comparison of everything. One row; only the daemon writes it, but for `asked_at`.
CREATE TABLE pggit_daemon.verification (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    asked_at    timestamptz,               -- somebody wants one now; served where began_at is later
    began_at    timestamptz,
    finished_at timestamptz,
    objects     integer,                   -- how many were compared
    differing   integer,                   -- how many were not as recorded
    unreadable  integer,                   -- how many could not be compared: others held locks on them
    seconds     double precision,          -- how long it took
    commit_hash text,                      -- the snapshot commit that came of it; NULL: no difference
    writer      text,                      -- which functions on which server wrote the definitions
    horizon     xid8,                      -- every transaction before this one had ended when it began
    names       bigint                     -- a hash over the names of roles and tablespaces: definitions hold them
);
INSERT INTO pggit_daemon.verification DEFAULT VALUES;
