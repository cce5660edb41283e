-- kind: function
-- dumped as: FUNCTION
-- prepare
CREATE SCHEMA k_code;
CREATE SCHEMA k_code2;
CREATE TABLE k_code.t (id int PRIMARY KEY, n text);
CREATE FUNCTION k_code.f_gone() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE EXTENSION hstore WITH SCHEMA k_code;
-- created: function k_code.f(integer,pg_catalog.text[])
CREATE FUNCTION k_code.f(a int DEFAULT 5, VARIADIC "b c" text[] DEFAULT '{x}') RETURNS text LANGUAGE sql IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 SECURITY DEFINER SET search_path = k_code, pg_temp AS $x$ SELECT 'a$$b' $x$;
-- created: function k_code.tab(integer)
CREATE FUNCTION k_code.tab(n int) RETURNS TABLE (a int, "b c" text) LANGUAGE sql ROWS 50 AS 'SELECT 1, ''x''';
-- created: function k_code.std(integer)
CREATE FUNCTION k_code.std(n int) RETURNS bigint LANGUAGE sql RETURN n + (SELECT count(*) FROM k_code.t);
-- created: function k_code.win(pg_catalog.anyelement)
CREATE FUNCTION k_code.win(anyelement) RETURNS anyelement LANGUAGE internal WINDOW AS 'window_first_value';
-- altered: function k_code.f(integer,pg_catalog.text[])
CREATE OR REPLACE FUNCTION k_code.f(a int DEFAULT 6, VARIADIC "b c" text[] DEFAULT '{y}') RETURNS text LANGUAGE sql AS $x$ SELECT 'c' $x$;
ALTER FUNCTION k_code.f(int, text[]) STABLE SECURITY DEFINER PARALLEL RESTRICTED COST 9;
ALTER FUNCTION k_code.f(int, text[]) SET work_mem = '5MB';
ALTER FUNCTION k_code.f(int, text[]) SET "my.var" = 'it''s';
ALTER FUNCTION k_code.f(int, text[]) RESET work_mem;
ALTER FUNCTION k_code.f(int, text[]) DEPENDS ON EXTENSION hstore;
ALTER FUNCTION k_code.f(int, text[]) OWNER TO kinds_writer;
-- altered: function k_code.tab(integer)
ALTER FUNCTION k_code.tab ROWS 70;
-- renamed: function k_code."F x"(integer,pg_catalog.text[])
ALTER FUNCTION k_code.f(int, text[]) RENAME TO "F x";
-- renamed: function k_code2."F x"(integer,pg_catalog.text[])
ALTER FUNCTION k_code."F x"(int, text[]) SET SCHEMA k_code2;
-- dropped: function k_code.f_gone()
DROP FUNCTION k_code.f_gone();
-- granted: function k_code2."F x"(integer,pg_catalog.text[])
REVOKE EXECUTE ON FUNCTION k_code2."F x"(int, text[]) FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA k_code2 TO kinds_reader WITH GRANT OPTION;
-- commented: function k_code2."F x"(integer,pg_catalog.text[])
COMMENT ON FUNCTION k_code2."F x"(int, text[]) IS 'f';

-- kind: procedure
-- prepare
CREATE PROCEDURE k_code.p_gone() LANGUAGE sql AS 'SELECT 1';
-- created: procedure k_code.p(integer,pg_catalog.text)
CREATE PROCEDURE k_code.p(INOUT a int, b text DEFAULT 'x') LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
-- altered: procedure k_code.p(integer,pg_catalog.text)
CREATE OR REPLACE PROCEDURE k_code.p(INOUT a int, b text DEFAULT 'y') LANGUAGE plpgsql AS 'BEGIN ROLLBACK; END';
ALTER PROCEDURE k_code.p SECURITY DEFINER;
ALTER PROCEDURE k_code.p SET work_mem = '5MB';
ALTER PROCEDURE k_code.p OWNER TO kinds_writer;
-- renamed: procedure k_code."P x"(integer,pg_catalog.text)
ALTER PROCEDURE k_code.p RENAME TO "P x";
-- renamed: procedure k_code2."P x"(integer,pg_catalog.text)
ALTER PROCEDURE k_code."P x" SET SCHEMA k_code2;
-- dropped: procedure k_code.p_gone()
DROP PROCEDURE k_code.p_gone();
-- granted: procedure k_code2."P x"(integer,pg_catalog.text)
GRANT EXECUTE ON PROCEDURE k_code2."P x" TO kinds_reader;
REVOKE EXECUTE ON ROUTINE k_code2."P x" FROM PUBLIC;
-- commented: procedure k_code2."P x"(integer,pg_catalog.text)
COMMENT ON PROCEDURE k_code2."P x" IS 'p';

-- kind: aggregate
-- dumped as: AGGREGATE
-- prepare
CREATE AGGREGATE k_code.agg_gone(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
-- created: aggregate k_code.agg(integer)
CREATE AGGREGATE k_code.agg(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', PARALLEL = safe, COMBINEFUNC = int4pl, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0', SORTOP = >);
-- created: aggregate k_code.pct(double precision,pg_catalog.anyelement)
CREATE AGGREGATE k_code.pct(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = SHAREABLE);
-- created: aggregate k_code.hyp(pg_catalog."any")
CREATE AGGREGATE k_code.hyp(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
-- altered: aggregate k_code.agg(integer)
CREATE OR REPLACE AGGREGATE k_code.agg(int) (SFUNC = int4pl, STYPE = int, INITCOND = '1', PARALLEL = restricted);
ALTER AGGREGATE k_code.agg(int) OWNER TO kinds_writer;
-- renamed: aggregate k_code."A gg"(integer)
ALTER AGGREGATE k_code.agg(int) RENAME TO "A gg";
-- renamed: aggregate k_code2."A gg"(integer)
ALTER AGGREGATE k_code."A gg"(int) SET SCHEMA k_code2;
-- dropped: aggregate k_code.agg_gone()
DROP AGGREGATE k_code.agg_gone(*);
-- granted: aggregate k_code2."A gg"(integer)
GRANT EXECUTE ON FUNCTION k_code2."A gg"(int) TO kinds_reader;
REVOKE EXECUTE ON FUNCTION k_code2."A gg"(int) FROM PUBLIC;
-- commented: aggregate k_code2."A gg"(integer)
COMMENT ON AGGREGATE k_code2."A gg"(int) IS 'a';

-- kind: trigger
-- dumped as: TRIGGER
-- prepare
CREATE FUNCTION k_code.tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE VIEW k_code.v AS SELECT * FROM k_code.t;
CREATE TRIGGER gone BEFORE INSERT ON k_code.t FOR EACH ROW EXECUTE FUNCTION k_code.tf();
CREATE TABLE k_code.parts (a int) PARTITION BY LIST (a);
CREATE TABLE k_code.part_1 PARTITION OF k_code.parts FOR VALUES IN (1);
-- created: trigger a on k_code.t
CREATE TRIGGER a BEFORE INSERT OR UPDATE OF n ON k_code.t FOR EACH ROW WHEN (NEW.id > 1) EXECUTE FUNCTION k_code.tf('x', 'it''s', '\');
-- created: trigger "b ""q"" .c" on k_code.t
CREATE TRIGGER "b ""q"" .c" AFTER DELETE ON k_code.t REFERENCING OLD TABLE AS old_t FOR EACH STATEMENT EXECUTE FUNCTION k_code.tf();
-- created: trigger of_view on k_code.v
CREATE TRIGGER of_view INSTEAD OF INSERT ON k_code.v FOR EACH ROW EXECUTE FUNCTION k_code.tf();
-- created: trigger late on k_code.t
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON k_code.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION k_code.tf();
-- created: trigger of_parts on k_code.parts
CREATE TRIGGER of_parts AFTER INSERT ON k_code.parts FOR EACH ROW EXECUTE FUNCTION k_code.tf();
-- altered: trigger a on k_code.t
CREATE OR REPLACE TRIGGER a AFTER INSERT ON k_code.t FOR EACH ROW EXECUTE FUNCTION k_code.tf();
ALTER TRIGGER a ON k_code.t DEPENDS ON EXTENSION hstore;
-- altered: trigger a on k_code.t by table k_code.t
ALTER TABLE k_code.t DISABLE TRIGGER a;
ALTER TABLE k_code.t ENABLE ALWAYS TRIGGER a;
ALTER TABLE k_code.t ENABLE REPLICA TRIGGER a;
-- altered: trigger of_parts on k_code.parts by table k_code.part_1
ALTER TABLE k_code.part_1 DISABLE TRIGGER of_parts;
-- renamed: trigger "A x" on k_code.t
ALTER TRIGGER a ON k_code.t RENAME TO "A x";
-- dropped: trigger gone on k_code.t
DROP TRIGGER gone ON k_code.t;
-- no granted: privileges are on its function and its table
-- commented: trigger "A x" on k_code.t
COMMENT ON TRIGGER "A x" ON k_code.t IS 'a';

-- kind: rule
-- dumped as: RULE
-- prepare
CREATE RULE gone AS ON UPDATE TO k_code.t DO ALSO NOTHING;
-- created: rule r on k_code.t
CREATE RULE r AS ON DELETE TO k_code.t WHERE OLD.id = 1 DO INSTEAD NOTHING;
-- created: rule "r 2" on k_code.v
CREATE RULE "r 2" AS ON INSERT TO k_code.v DO INSTEAD INSERT INTO k_code.t VALUES (NEW.id, NEW.n) RETURNING *;
-- altered: rule r on k_code.t
CREATE OR REPLACE RULE r AS ON DELETE TO k_code.t DO ALSO (UPDATE k_code.t SET n = 'x'; NOTIFY "ch an");
-- altered: rule r on k_code.t by table k_code.t
ALTER TABLE k_code.t DISABLE RULE r;
ALTER TABLE k_code.t ENABLE ALWAYS RULE r;
ALTER TABLE k_code.t ENABLE REPLICA RULE r;
-- renamed: rule "R x" on k_code.t
ALTER RULE r ON k_code.t RENAME TO "R x";
-- dropped: rule gone on k_code.t
DROP RULE gone ON k_code.t;
-- no granted: privileges are on its table
-- commented: rule "R x" on k_code.t
COMMENT ON RULE "R x" ON k_code.t IS 'r';

-- kind: policy
-- dumped as: POLICY
-- prepare
CREATE POLICY gone ON k_code.t;
-- created: policy p on k_code.t
CREATE POLICY p ON k_code.t AS RESTRICTIVE FOR UPDATE TO kinds_reader, kinds_writer USING (id > 1) WITH CHECK (id < 10);
-- created: policy "p 2" on k_code.t
CREATE POLICY "p 2" ON k_code.t USING (n = current_user);
-- altered: policy p on k_code.t
ALTER POLICY p ON k_code.t TO PUBLIC;
ALTER POLICY p ON k_code.t USING (id > 2) WITH CHECK (id < 20);
ALTER POLICY p ON k_code.t TO kinds_reader;
-- renamed: policy "P x" on k_code.t
ALTER POLICY p ON k_code.t RENAME TO "P x";
-- dropped: policy gone on k_code.t
DROP POLICY gone ON k_code.t;
-- no granted: privileges are on its table
-- commented: policy "P x" on k_code.t
COMMENT ON POLICY "P x" ON k_code.t IS 'p';

-- kind: event trigger
-- dumped as: EVENT TRIGGER
-- prepare
CREATE FUNCTION k_code.et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
-- created: unseen event trigger k_gone
CREATE EVENT TRIGGER k_gone ON sql_drop EXECUTE FUNCTION k_code.et();
-- created: unseen event trigger ev
CREATE EVENT TRIGGER ev ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION k_code.et();
-- altered: unseen event trigger ev
ALTER EVENT TRIGGER ev DISABLE;
ALTER EVENT TRIGGER ev ENABLE REPLICA;
ALTER EVENT TRIGGER ev ENABLE ALWAYS;
-- renamed: unseen event trigger "E v"
ALTER EVENT TRIGGER ev RENAME TO "E v";
-- dropped: unseen event trigger k_gone
DROP EVENT TRIGGER k_gone;
-- no granted: there are no privileges on it
-- commented: unseen event trigger "E v"
COMMENT ON EVENT TRIGGER "E v" IS 'ev';

