-- opened: domain d, type comp
-- the script of pg_dump does not restore
CREATE TYPE comp AS (a int, "b (," text COLLATE "C");
CREATE DOMAIN d AS text;
CREATE FUNCTION ok(comp) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
ALTER DOMAIN d ADD CHECK (ok(NULL::comp));
ALTER TYPE comp ADD ATTRIBUTE c d;
COMMENT ON COLUMN comp.c IS 'c';
CREATE TABLE outside (c comp, a d[]);
