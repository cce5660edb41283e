-- Whether the asking session sees something whose use of another is recorded, and the other is gone. The server does not
-- lock the types and functions that are used: dropped beside the transaction that uses them, they leave a catalog that
-- nobody can read, pg_dump neither.
SELECT EXISTS (
    SELECT FROM pg_depend d
     WHERE d.refobjid >= 16384
       AND CASE d.refclassid
           WHEN 'pg_type'::regclass THEN NOT EXISTS (SELECT FROM pg_type x WHERE x.oid = d.refobjid)
           WHEN 'pg_proc'::regclass THEN NOT EXISTS (SELECT FROM pg_proc x WHERE x.oid = d.refobjid)
           WHEN 'pg_class'::regclass THEN NOT EXISTS (SELECT FROM pg_class x WHERE x.oid = d.refobjid)
           WHEN 'pg_namespace'::regclass THEN NOT EXISTS (SELECT FROM pg_namespace x WHERE x.oid = d.refobjid)
           WHEN 'pg_constraint'::regclass THEN NOT EXISTS (SELECT FROM pg_constraint x WHERE x.oid = d.refobjid)
           WHEN 'pg_extension'::regclass THEN NOT EXISTS (SELECT FROM pg_extension x WHERE x.oid = d.refobjid)
           WHEN 'pg_publication'::regclass THEN NOT EXISTS (SELECT FROM pg_publication x WHERE x.oid = d.refobjid)
           ELSE false END);
