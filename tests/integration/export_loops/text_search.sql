-- opened: view v
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple, accept = false);
CREATE TEXT SEARCH CONFIGURATION conf (COPY = english);
ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword WITH dict, english_stem;
CREATE TABLE t (n text, v tsvector GENERATED ALWAYS AS (to_tsvector('text_search.conf'::regconfig, n)) STORED);
CREATE INDEX ON t USING gin (to_tsvector('text_search.conf'::regconfig, n));
CREATE VIEW v AS SELECT n FROM t WHERE v @@ to_tsquery('text_search.conf'::regconfig, 'x');
CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT n FROM v; END;
CREATE OR REPLACE VIEW v AS SELECT f() AS n;
