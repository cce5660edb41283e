CREATE SCHEMA app;
CREATE TABLE app.t (id int PRIMARY KEY, n text);
CREATE FUNCTION app.f(a int DEFAULT 5, VARIADIC b text[] DEFAULT '{x}') RETURNS text LANGUAGE sql IMMUTABLE STRICT LEAKPROOF
    PARALLEL SAFE COST 7 SECURITY DEFINER SET search_path = app, pg_temp SET work_mem = '5MB' AS $x$ SELECT 'a$$b' $x$;
CREATE FUNCTION app."F ""q"" .x"(IN "a b" app.t, OUT x int, INOUT y numeric(3,1)) LANGUAGE plpgsql AS $body$
BEGIN -- $function$ and \ and ;
 x := 1; END $body$;
CREATE FUNCTION app.tab(n int) RETURNS TABLE (a int, "b c" text) LANGUAGE sql ROWS 50 AS 'SELECT 1, ''x''';
CREATE FUNCTION app.std(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT count(*)::int FROM app.t WHERE id > $1; END;
CREATE FUNCTION app.ret(n int) RETURNS int RETURN n + 1;
CREATE FUNCTION app.base(n int) RETURNS int LANGUAGE sql RETURN app.ret(n);
CREATE PROCEDURE app.p(INOUT a int, b text DEFAULT 'x') LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
CREATE PROCEDURE app.p2(OUT o int, a int) LANGUAGE plpgsql AS 'BEGIN o := 1; END';
CREATE FUNCTION app.c(internal) RETURNS internal LANGUAGE internal AS 'int4_accum' SUPPORT pg_catalog.array_unnest_support;
CREATE FUNCTION app.win(anyelement) RETURNS anyelement LANGUAGE internal WINDOW AS 'window_first_value';
CREATE AGGREGATE app.agg(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', PARALLEL = safe, COMBINEFUNC = int4pl,
    MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0', SORTOP = >);
CREATE AGGREGATE app.cnt(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0', FINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE app.pct(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = SHAREABLE);
CREATE AGGREGATE app.hyp(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal,
    FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
COMMENT ON FUNCTION app.f(int, text[]) IS 'f'; COMMENT ON PROCEDURE app.p IS 'p'; COMMENT ON AGGREGATE app.cnt(*) IS 'c';
COMMENT ON AGGREGATE app.pct(float8 ORDER BY anyelement) IS 'pct';
REVOKE ALL ON FUNCTION app.f(int, text[]) FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.f(int, text[]) TO reader;
REVOKE ALL ON FUNCTION app.cnt() FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.pct(float8, anyelement) TO reader WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE app.p TO reader; REVOKE ALL ON PROCEDURE app.p2 FROM PUBLIC;
ALTER FUNCTION app.f(int, text[]) OWNER TO writer; ALTER AGGREGATE app.hyp(VARIADIC "any" ORDER BY VARIADIC "any") OWNER TO writer;
CREATE FUNCTION app.on_table(app.t) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE VIEW app.uses AS SELECT app.on_table(t), app.std(1) FROM app.t;
CREATE FUNCTION app.hard() RETURNS text LANGUAGE sql SET "my.var" = 'it''s "x", \y' AS E'SELECT ''\\n''';
CREATE FUNCTION app.empty() RETURNS void LANGUAGE sql AS '';
