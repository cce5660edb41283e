-- stuck: type r, function canon(r)
-- the script of pg_dump does not restore
CREATE TYPE r;
CREATE FUNCTION canon(r) RETURNS r LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE r AS RANGE (subtype = int, canonical = canon);
CREATE OR REPLACE FUNCTION canon(r) RETURNS r LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1';
