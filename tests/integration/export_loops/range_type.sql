-- opened: function diff(integer,integer), type r
-- the script of pg_dump does not restore
CREATE TYPE r;
CREATE FUNCTION canon(r) RETURNS r LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE FUNCTION diff(int, int) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN 1.0;
CREATE TYPE r AS RANGE (subtype = int, subtype_diff = diff, canonical = canon);
CREATE OR REPLACE FUNCTION diff(int, int) RETURNS float8 LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT upper(r(1, 2))::float8; END;
CREATE TABLE t (x r);
