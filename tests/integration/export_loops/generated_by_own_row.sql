-- opened: table t
-- the script of pg_dump does not restore
CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, "b,(x" text COLLATE "C" DEFAULT 'x,(' NOT NULL) WITH (fillfactor = 50);
CREATE FUNCTION f(t) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
-- Newer minors (seen on 15.20) rewrite no table whose row type stands in an expression: a function gives the row here, and the
-- default that names it comes after the columns.
CREATE FUNCTION nothing() RETURNS t LANGUAGE sql IMMUTABLE AS 'SELECT NULL::generated_by_own_row.t';
ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (f(nothing())) STORED, ADD COLUMN h int, ADD COLUMN i bigint;
ALTER TABLE t ALTER COLUMN h SET DEFAULT f(NULL::t);
CREATE VIEW v AS SELECT a FROM t;
CREATE FUNCTION fv() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(a) FROM v; END;
ALTER TABLE t ALTER COLUMN i SET DEFAULT fv();
COMMENT ON COLUMN t.a IS 'a'; ALTER TABLE t ALTER COLUMN "b,(x" SET STORAGE EXTERNAL; GRANT SELECT (g) ON t TO reader;
