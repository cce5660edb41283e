-- stuck: function f(kid), table kid
-- the script of pg_dump does not restore
CREATE TABLE parent (a int);
CREATE TABLE kid (b int) INHERITS (parent);
CREATE FUNCTION f(kid) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
ALTER TABLE kid ADD COLUMN g int GENERATED ALWAYS AS (f(NULL::kid)) STORED;
