-- opened: function f(integer,pg_catalog.text)
-- the script of pg_dump does not restore
CREATE FUNCTION f(int, text) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1;
CREATE OPERATOR +! (function = f, leftarg = int, rightarg = text);
CREATE OR REPLACE FUNCTION f(int, text) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 +! $2;
