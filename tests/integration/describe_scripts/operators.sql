CREATE SCHEMA app;
CREATE FUNCTION app.eq(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION app.lt(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2';
CREATE FUNCTION app.neg(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -$1';
CREATE FUNCTION app.cmp(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE FUNCTION app.cmp8(int, bigint) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE FUNCTION app.eq8(int, bigint) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE OPERATOR app.=== (FUNCTION = app.eq, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR(app.===), NEGATOR = OPERATOR(app.!==),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR app.!== (FUNCTION = app.lt, LEFTARG = int, RIGHTARG = int, NEGATOR = OPERATOR(app.===));
CREATE OPERATOR app.=== (FUNCTION = app.eq8, LEFTARG = int, RIGHTARG = bigint);
CREATE OPERATOR app.!- (FUNCTION = app.neg, RIGHTARG = int);
COMMENT ON OPERATOR app.!- (NONE, int) IS 'neg'; ALTER OPERATOR app.=== (int, int) OWNER TO writer;
CREATE OPERATOR CLASS app.oc FOR TYPE int USING btree AS OPERATOR 3 app.===, FUNCTION 1 app.cmp(int, int);
CREATE OPERATOR FAMILY app."fam x" USING hash; COMMENT ON OPERATOR FAMILY app."fam x" USING hash IS 'fam';
ALTER OPERATOR FAMILY app.oc USING btree ADD OPERATOR 3 app.=== (int, bigint), FUNCTION 1 (int, bigint) app.cmp8(int, bigint);
COMMENT ON OPERATOR CLASS app.oc USING btree IS 'oc'; ALTER OPERATOR CLASS app.oc USING btree OWNER TO writer;
CREATE OPERATOR CLASS app.gist_oc FOR TYPE box USING gist AS OPERATOR 1 <<, FUNCTION 1 gist_box_consistent(internal, box, smallint, oid, internal),
  FUNCTION 2 gist_box_union(internal, internal), FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal),
  FUNCTION 7 gist_box_same(box, box, internal), OPERATOR 15 <-> (box, point) FOR ORDER BY float_ops, FUNCTION 8 gist_box_distance(internal, box, smallint, oid, internal);
CREATE ACCESS METHOD btree2 TYPE INDEX HANDLER bthandler; COMMENT ON ACCESS METHOD btree2 IS 'am';
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE app.on_heap2 (x int, y int) USING heap2;
CREATE MATERIALIZED VIEW app.mv2 USING heap2 AS SELECT x FROM app.on_heap2;
CREATE INDEX ON app.on_heap2 (x app.oc);
CREATE TYPE app.c AS (x int);
CREATE FUNCTION app.toc(text) RETURNS app.c LANGUAGE sql IMMUTABLE AS 'SELECT ROW(1)::app.c';
CREATE CAST (text AS app.c) WITH FUNCTION app.toc(text) AS ASSIGNMENT; COMMENT ON CAST (text AS app.c) IS 'cast';
CREATE CAST (app.c AS text) WITH INOUT AS IMPLICIT;
CREATE DOMAIN app.dom AS int;
CREATE TYPE app.en AS ENUM ('a'); CREATE CAST (app.en AS varchar) WITH INOUT;
CREATE COLLATION app.co FROM "C"; CREATE COLLATION app."co i" (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);
CREATE COLLATION app.two (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');
COMMENT ON COLLATION app.co IS 'co'; ALTER COLLATION app.co OWNER TO writer;
CREATE TABLE app.co (x text COLLATE app."co i");
CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DEFAULT CONVERSION app."conv 2" FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1; COMMENT ON CONVERSION app.conv IS 'conv';
