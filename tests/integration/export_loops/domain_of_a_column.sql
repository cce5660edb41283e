-- opened: domain d, table t
-- the script of pg_dump does not restore
CREATE DOMAIN d AS int CONSTRAINT z CHECK (VALUE <> 3);
CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b d, c int DEFAULT 3);
CREATE FUNCTION f(t) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
-- On newer minors (seen on 15.20) this is the last valid CHECK that d can get, and only while no default names the row type of t,
-- which has a d in it.
ALTER DOMAIN d ADD CONSTRAINT a CHECK (f(NULL::t) > VALUE);
ALTER DOMAIN d ADD CONSTRAINT b CHECK (f(NULL::t) <> VALUE) NOT VALID;
COMMENT ON CONSTRAINT z ON DOMAIN d IS 'z'; COMMENT ON CONSTRAINT b ON DOMAIN d IS 'b';
ALTER TABLE t ALTER COLUMN c SET DEFAULT f(NULL::t);
ALTER DOMAIN d SET DEFAULT f(NULL::t);
