-- What the daemon reads when it starts on a database.

-- name: progress
SELECT slot_name, commit_lsn::text, end_lsn::text, head, context::text, bound_lsn::text, chain FROM pggit_daemon.progress;

-- name: installation
-- Whether the rows that init leaves are there: a dump of the schema alone brings tables and event triggers without them.
SELECT EXISTS (SELECT FROM pggit_daemon.repeatable) AND EXISTS (SELECT FROM pggit_daemon.secret);

-- name: versions
-- Of which version the schema is, and the digest of the functions as init left them.
SELECT (SELECT max(number) FROM pggit_daemon.schema_step), (SELECT sha256 FROM pggit_daemon.repeatable);

-- name: secret
-- By which messages are known as ours.
SELECT key FROM pggit_daemon.secret;

-- name: leaves
-- The tree of the newest commit.
SELECT type, schema_name, identity, classid::bigint, objid::bigint, blob
FROM pggit_daemon.object_version WHERE to_commit IS NULL;

-- name: logged
-- What the WAL says of names, where it is not how the objects are recorded.
SELECT type, schema_name, identity, classid::bigint, objid::bigint, blob FROM pggit_daemon.logged_otherwise;

-- name: sources
SELECT name, preset, schema_name, table_name, lock_table, origin, objid::bigint FROM pggit_daemon.source;

-- name: rows
SELECT source, row_key, columns, migration_id FROM pggit_daemon.source_row;

-- name: gone
-- The rows that history tables held and hold no more, as they were last, with the migrations that they stood for. The
-- rollback of a migration has its negative id; zero has none.
SELECT DISTINCT ON (event.source, event.row_key) event.source, event.row_key, event.old_columns,
       CASE WHEN event.migration_id = -1000000000000000000 THEN 0 ELSE abs(event.migration_id) END
FROM pggit_daemon.history_event AS event
WHERE event.new_columns IS NULL AND event.old_columns IS NOT NULL AND event.operation <> 'update'
  AND NOT EXISTS (SELECT FROM pggit_daemon.source_row AS there
                  WHERE there.source = event.source AND there.row_key = event.row_key)
ORDER BY event.source, event.row_key, event.id DESC;

-- name: runs
-- What sessions have begun through the SQL API and not ended, in the order in which they began it.
SELECT run_key, state, pid, backend_start::text, user_name, started_at, migration_id, tool_name, name, xact, wrapped, waits,
       failed_at::text, last_part::text
FROM pggit_daemon.open_run ORDER BY id;

-- name: poison
-- The transactions in quarantine that the stream may bring again.
SELECT lsn::text FROM pggit_daemon.quarantine
WHERE kind = 'transaction' AND lsn > (SELECT commit_lsn FROM pggit_daemon.progress);

-- name: ids
-- Every migration id in use, so that none is given twice.
SELECT source, migration_id, version, status, source_lsn::text FROM pggit.external_migrations WHERE migration_id >= 0;

-- name: facts
-- What attribution remembers.
SELECT kind, key, state FROM pggit_daemon.attribution;

-- name: writers
-- Who may write a history table by a right of his own: its owner, whoever holds INSERT by a grant, and their members. Being
-- superuser is no such right. NULL: everybody may.
WITH RECURSIVE wanted AS (
    SELECT named.name, class.relowner, class.relacl
    FROM unnest(%(names)s::text[], %(schemas)s::text[], %(tables)s::text[]) AS named (name, schema_name, table_name)
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = named.schema_name
    JOIN pg_catalog.pg_class AS class ON class.relnamespace = namespace.oid AND class.relname = named.table_name
), granted AS (
    SELECT wanted.name, acl.grantee
    FROM wanted CROSS JOIN LATERAL pg_catalog.aclexplode(wanted.relacl) AS acl
    WHERE acl.privilege_type = 'INSERT'
), writing (name, role) AS (
    SELECT name, relowner FROM wanted
    UNION SELECT name, grantee FROM granted WHERE grantee <> 0
    UNION SELECT writing.name, member.member
    FROM writing JOIN pg_catalog.pg_auth_members AS member ON member.roleid = writing.role
)
SELECT wanted.name,
       CASE WHEN EXISTS (SELECT FROM granted WHERE granted.name = wanted.name AND granted.grantee = 0) THEN NULL
            ELSE ARRAY(SELECT role.rolname::text FROM writing JOIN pg_catalog.pg_roles AS role ON role.oid = writing.role
                       WHERE writing.name = wanted.name) END
FROM wanted;

-- name: tables
-- Tables that have all columns of one of these sets (JSON arrays of names), or one of these names: those that may be
-- history tables, lock tables, or tell tools apart; and parts of such tables.
SELECT namespace.nspname, class.relname, class.oid::bigint, pggit_daemon.table_shape(class.oid)::text
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_agg(attribute.attname) AS names
    FROM pg_catalog.pg_attribute AS attribute
    WHERE attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped) AS columns
WHERE class.relkind IN ('r', 'p') AND class.relpersistence = 'p'
  AND namespace.nspname NOT IN ('pggit', 'pggit_daemon', 'pg_catalog', 'information_schema', 'pg_toast')
  AND (class.relname = ANY (%(companions)s::text[])
       OR (namespace.nspname || '.' || class.relname) = ANY (%(named)s::text[])
       OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS part
                  JOIN pg_catalog.pg_class AS whole ON whole.oid = part.inhparent
                  JOIN pg_catalog.pg_namespace AS there ON there.oid = whole.relnamespace
                  WHERE part.inhrelid = class.oid
                    AND (there.nspname || '.' || whole.relname) = ANY (%(named)s::text[]))
       OR EXISTS (SELECT FROM pg_catalog.unnest(%(sets)s::text[]) AS wanted (list)
                  WHERE columns.names @> wanted.list::jsonb))
ORDER BY class.oid;

-- name: objects_there
-- Every address that may be an object of ours. An extension can have thousands of members, which are none; what is the
-- server's own (language plpgsql is a member) may still have changed privileges.
SELECT there.classid::bigint, there.objid::bigint
FROM pggit_daemon.addresses() AS there
WHERE there.objid < 16384
   OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS member
                  WHERE member.classid = there.classid AND member.objid = there.objid AND member.deptype = 'e')
ORDER BY there.classid, there.objid;

-- name: read_objects
-- Some objects as they are under this snapshot; `unreadable` says why one could not be read.
SELECT read.classid::bigint, read.objid::bigint, (read.now).type, (read.now).schema_name, (read.now).identity,
       (read.now).definition, (read.now).later, (read.now).depends, read.unreadable
FROM pggit_daemon.read_quietly(ARRAY(
    SELECT (wanted.classid, wanted.objid)::pggit_daemon.object_address
    FROM unnest(%(classids)s::oid[], %(objids)s::oid[]) AS wanted (classid, objid))) AS read;

-- name: invisible
-- Which of these transactions (by their 32-bit numbers) a snapshot taken now does not see as ended.
SELECT wanted.xid
FROM unnest(%(xids)s::bigint[]) AS wanted (xid)
CROSS JOIN (SELECT pg_catalog.pg_current_snapshot() AS snapshot) AS now
WHERE (wanted.xid - pg_catalog.pg_snapshot_xmax(now.snapshot)::text::bigint) & 4294967295 < 2147483648
   OR wanted.xid IN (SELECT running.xid::text::bigint & 4294967295
                     FROM pg_catalog.pg_snapshot_xip(now.snapshot) AS running (xid));

-- name: requests
-- The second outbox, in the order in which it was written.
SELECT id, recorded_at::text, action, pid, backend_start::text, user_name, arguments::text
FROM pggit_daemon.request ORDER BY id;

-- name: outbox
SELECT id FROM pggit_daemon.ddl_event;

-- name: read_again
-- Objects as they are now; of those that a statement named (`direct`), also all that hangs on them.
SELECT read.classid::bigint, read.objid::bigint, (read.now).type, (read.now).schema_name, (read.now).identity,
       (read.now).definition, (read.now).later, (read.now).depends, read.unreadable
FROM (
    SELECT array_agg(near.own) AS objects
    FROM (
        SELECT own, row_number() OVER () AS place
        FROM (SELECT DISTINCT own
              FROM (SELECT item.classid, item.objid
                    FROM unnest(%(classids)s::oid[], %(objids)s::oid[]) AS item (classid, objid)
                    UNION
                    SELECT naming.classid, naming.objid
                    FROM unnest(%(classids)s::oid[], %(objids)s::oid[], %(direct)s::boolean[])
                         AS item (classid, objid, direct)
                    CROSS JOIN LATERAL pggit_daemon.dependents_by_name(item.classid, item.objid) AS naming
                    WHERE item.direct) AS near (classid, objid)
              CROSS JOIN LATERAL pggit_daemon.canonical_address(near.classid, near.objid, 0) AS own
              WHERE own.classid IS NOT NULL) AS near
    ) AS near
    GROUP BY near.place / 200
) AS near
CROSS JOIN LATERAL pggit_daemon.read_quietly(near.objects) AS read;

-- name: outbox_objects
-- The rows of the outbox, at most so many, and the objects that each names; NULL for a row that is known.
SELECT event.id,
       CASE WHEN known.id IS NULL THEN ARRAY(
           SELECT DISTINCT ARRAY[(item.value ->> 'classid')::bigint, (item.value ->> 'objid')::bigint]
           FROM pg_catalog.jsonb_array_elements(event.objects::jsonb) AS item
           WHERE item.value ? 'objid') END AS objects
FROM (SELECT e.id, e.objects FROM pggit_daemon.ddl_event AS e ORDER BY e.id LIMIT %(most)s) AS event
LEFT JOIN unnest(%(known)s::bigint[]) AS known (id) ON known.id = event.id;

-- name: alive
-- Which of these sessions are still there, and which of them hold an advisory lock; when the oldest session of anybody
-- else's began (NULL: there is none, or it may not be seen), and whether all may be seen; and how far the WAL is.
SELECT coalesce(array_agg(activity.pid) FILTER (WHERE activity.pid IS NOT NULL), '{}') AS pids,
       coalesce(array_agg(activity.backend_start) FILTER (WHERE activity.pid IS NOT NULL), '{}') AS starts,
       coalesce(array_agg(activity.holds) FILTER (WHERE activity.pid IS NOT NULL), '{}') AS holds,
       (SELECT min(other.backend_start) FROM pg_catalog.pg_stat_activity AS other
        WHERE other.datname = current_database() AND other.backend_type = 'client backend'
          AND other.application_name NOT LIKE 'pggit-daemon%%') AS oldest,
       NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS hidden
                   WHERE hidden.datname = current_database() AND hidden.backend_start IS NULL) AS sees_all,
       pg_catalog.pg_current_wal_insert_lsn()::text AS position
FROM (SELECT true) AS one
LEFT JOIN (
    SELECT session.pid, session.backend_start,
           EXISTS (SELECT FROM pg_catalog.pg_locks AS lock
                   WHERE lock.pid = session.pid AND lock.locktype = 'advisory' AND lock.granted) AS holds
    FROM pg_catalog.pg_stat_activity AS session
    WHERE session.pid = ANY (%(pids)s::integer[])
) AS activity ON true;

-- name: position
SELECT pg_catalog.pg_current_wal_insert_lsn()::text;

-- name: change_counters
-- Counters that say that a comparison is due, and from where on the next one must look.
SELECT writes, names, writer, horizon, asked, at FROM pggit_daemon.change_counters();

-- name: verified
-- The last comparison of everything.
SELECT names, writer, horizon::text::bigint, began_at FROM pggit_daemon.verification WHERE finished_at IS NOT NULL;

-- name: addresses
-- Everything that a comparison must look at.
SELECT classid::bigint, objid::bigint FROM pggit_daemon.addresses_to_compare();

-- name: written_since
SELECT classid::bigint, objid::bigint FROM pggit_daemon.written_since(%(horizon)s::text::xid8);

-- name: differing
-- Those of these objects that are not as recorded.
SELECT classid::bigint, objid::bigint, version, digest, type, schema_name, identity, definition, later, depends,
       recorded_type, recorded_schema, recorded_identity, unreadable
FROM pggit_daemon.differing(ARRAY(
    SELECT (wanted.classid, wanted.objid)::pggit_daemon.object_address
    FROM unnest(%(classids)s::oid[], %(objids)s::oid[]) AS wanted (classid, objid)));
