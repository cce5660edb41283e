-- opened: function f(integer)
-- the script of pg_dump does not restore
CREATE DOMAIN d AS int;
CREATE FUNCTION f(int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
ALTER DOMAIN d ADD CONSTRAINT c CHECK (f(VALUE));
CREATE TYPE r AS RANGE (subtype = d);
CREATE TABLE t (x r);
CREATE OR REPLACE FUNCTION f(int) RETURNS boolean LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT bool_and(x IS NULL) FROM t; END;
