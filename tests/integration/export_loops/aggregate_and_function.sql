-- opened: function s(integer,integer)
-- the script of pg_dump does not restore
CREATE FUNCTION s(int, int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 + $2;
CREATE AGGREGATE agg(int) (sfunc = s, stype = int, initcond = '0');
CREATE OR REPLACE FUNCTION s(int, int) RETURNS int LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT (SELECT agg(x) FROM generate_series(1, 2) x)::int; END;
