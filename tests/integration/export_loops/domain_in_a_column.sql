-- opened: table t
-- the script of pg_dump does not restore
CREATE DOMAIN d AS int;
CREATE TABLE t (a int NOT NULL DEFAULT 3);
CREATE FUNCTION ok(int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION of_row(t) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION nothing() RETURNS t LANGUAGE sql IMMUTABLE AS 'SELECT NULL::domain_in_a_column.t';
ALTER DOMAIN d ADD CHECK (of_row(nothing()));
ALTER TABLE t ADD COLUMN b d[] NOT NULL, ADD COLUMN c d;
