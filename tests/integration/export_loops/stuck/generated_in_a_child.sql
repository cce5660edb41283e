-- stuck: function f(kid), function nothing(), table kid
-- the script of pg_dump does not restore
CREATE TABLE parent (a int);
CREATE TABLE kid (b int) INHERITS (parent);
CREATE FUNCTION f(kid) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION nothing() RETURNS kid LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN NULL; END';
-- Not f(NULL::kid): newer minors (seen on 15.20) rewrite no table whose row type stands in an expression.
ALTER TABLE kid ADD COLUMN g int GENERATED ALWAYS AS (f(nothing())) STORED;
