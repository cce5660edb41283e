-- Step 7: names of objects are found by their hash. A name may be longer than an index takes: a function's has the types
-- of all its arguments, a hundred of 63 bytes each and their schemas. Who looks one up compares the hash and the name.

DROP INDEX pggit_daemon.object_version_current;
-- By two hashes, as 128 bits tell any two names apart.
CREATE UNIQUE INDEX object_version_current ON pggit_daemon.object_version
    (hashtextextended(identity, 0), type, hashtextextended(identity, 1)) WHERE to_commit IS NULL;
DROP INDEX pggit_daemon.object_version_history;
CREATE INDEX object_version_history ON pggit_daemon.object_version (hashtextextended(identity, 0), type, from_commit);

DROP INDEX pggit.conflicts_open;
CREATE UNIQUE INDEX conflicts_open ON pggit.conflicts
    (conflict_type, object_type, hashtextextended(object_identifier, 0)) WHERE status = 'unresolved';
