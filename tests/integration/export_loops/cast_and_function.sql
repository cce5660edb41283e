-- opened: function casts(pg_catalog.text)
-- the script of pg_dump does not restore
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION pair_of(text) RETURNS pair LANGUAGE sql IMMUTABLE AS 'SELECT 1, 2';
CREATE CAST (text AS pair) WITH FUNCTION pair_of(text) AS ASSIGNMENT;
CREATE FUNCTION casts(text) RETURNS pair LANGUAGE sql IMMUTABLE RETURN $1::pair;
CREATE OR REPLACE FUNCTION pair_of(text) RETURNS pair LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT (casts($1)).a, 2; END;
