-- opened: function f(integer)
-- the script of pg_dump does not restore
CREATE TABLE t (a int);
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (f(a) + f(3)) STORED;
CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT count(a)::int FROM t; END;
CREATE INDEX ON t (f(a), f(4));
