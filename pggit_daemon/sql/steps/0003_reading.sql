-- Step 3: what the reading side of the SQL API needs.

-- An object by the catalog's id: pairs the two names of a renamed one.
CREATE INDEX object_version_oid ON pggit_daemon.object_version (objid, classid);

-- Indexes by their bare names: whether two schemas have one of the same name.
CREATE INDEX object_version_bare_index
    ON pggit_daemon.object_version (substr(identity, length(quote_ident(schema_name)) + 2)) WHERE type = 'index';

-- Who resolved a conflict by hand; NULL where it resolved by itself.
ALTER TABLE pggit.conflicts ADD COLUMN IF NOT EXISTS resolved_by text;
