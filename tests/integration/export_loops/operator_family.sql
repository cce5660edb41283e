-- opened: function compare(k,k), operator family fam USING btree
-- the script of pg_dump does not restore
CREATE TYPE k AS (v int);
CREATE FUNCTION compare(k, k) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE FUNCTION less(k, k) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE FUNCTION same(k, k) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION less(k, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE FUNCTION compare(k, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE OPERATOR <<< (function = less, leftarg = k, rightarg = k, commutator = >>>);
CREATE OPERATOR === (function = same, leftarg = k, rightarg = k, commutator = ===, negator = !==);
CREATE OPERATOR <<< (function = less, leftarg = k, rightarg = int);
CREATE OPERATOR FAMILY fam USING btree;
CREATE OPERATOR CLASS cls FOR TYPE k USING btree FAMILY fam AS OPERATOR 1 <<<, OPERATOR 3 ===, FUNCTION 1 compare(k, k);
ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 1 <<< (k, int), FUNCTION 1 (k, int) compare(k, int);
CREATE TABLE t (x k, y k);
CREATE INDEX ON t (x cls);
ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING btree (y cls WITH ===);
CREATE VIEW sorted AS SELECT * FROM t ORDER BY x USING <<<;
CREATE FUNCTION of_view(sorted) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE parted (x k) PARTITION BY RANGE (x cls);
CREATE OR REPLACE FUNCTION compare(k, int) RETURNS int LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT count(*)::int FROM parted; END;
CREATE OR REPLACE FUNCTION compare(k, k) RETURNS int LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT count(*)::int FROM (SELECT * FROM t ORDER BY x USING <<<) s; END;
