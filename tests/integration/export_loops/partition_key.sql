-- opened: function f(integer)
-- the script of pg_dump does not restore
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1;
CREATE TABLE t (a int) PARTITION BY RANGE (f(a), (a + f(a)));
CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1, 1) TO (10, 10);
CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT count(a)::int FROM t_1; END;
