-- stuck: domain d, table t
-- the script of pg_dump does not restore
CREATE DOMAIN d AS int;
CREATE TABLE t (a int);
CREATE FUNCTION ok(t) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
ALTER DOMAIN d ADD CHECK (ok(ROW(VALUE)::t));
ALTER TABLE t ADD COLUMN b d[];
