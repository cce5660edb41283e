-- opened: domain d, table t
-- the script of pg_dump does not restore
CREATE TABLE p (a int);
CREATE DOMAIN d AS int;
CREATE TABLE t (b d) INHERITS (p);
ALTER TABLE p ADD COLUMN later int DEFAULT 3;
ALTER DOMAIN d ADD CHECK (NULL::t IS NULL);
-- No loop needs this default to wait. But newer minors (seen on 15.20) refuse the CHECK once it is there.
ALTER TABLE t ALTER COLUMN later SET DEFAULT CASE WHEN NULL::t IS NULL THEN 3 END;
