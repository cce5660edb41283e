-- opened: domain d
CREATE EXTENSION hstore SCHEMA extension;
CREATE DOMAIN d AS hstore;
CREATE FUNCTION ok(d) RETURNS boolean LANGUAGE sql AS 'SELECT true';
ALTER DOMAIN d ADD CHECK (ok(VALUE) AND VALUE::hstore ? 'a');
ALTER FUNCTION ok DEPENDS ON EXTENSION hstore;
CREATE TABLE t (h d DEFAULT 'a=>1'::hstore, k hstore DEFAULT hstore('a', 'b'));
CREATE INDEX ON t USING gist (k);
GRANT EXECUTE ON FUNCTION hstore(text, text) TO reader;
CREATE VIEW v AS SELECT akeys(k) AS e FROM t;
CREATE CAST (hstore AS point) WITH INOUT;
