-- kind: operator
-- dumped as: OPERATOR
-- prepare
CREATE SCHEMA k_op;
CREATE SCHEMA k_op2;
CREATE FUNCTION k_op.eq(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION k_op.cmp(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE FUNCTION k_op.neg(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -$1';
CREATE OPERATOR k_op.!% (FUNCTION = k_op.neg, RIGHTARG = int);
-- created: operator k_op.===(integer,integer)
CREATE OPERATOR k_op.=== (FUNCTION = k_op.eq, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR(k_op.===), NEGATOR = OPERATOR(k_op.!==), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
-- created: operator k_op.!==(integer,integer)
CREATE OPERATOR k_op.!== (FUNCTION = k_op.eq, LEFTARG = int, RIGHTARG = int, NEGATOR = OPERATOR(k_op.===));
-- created: operator k_op.!-(NONE,integer)
CREATE OPERATOR k_op.!- (FUNCTION = k_op.neg, RIGHTARG = int);
-- altered: operator k_op.===(integer,integer)
ALTER OPERATOR k_op.=== (int, int) SET (RESTRICT = NONE, JOIN = NONE);
ALTER OPERATOR k_op.=== (int, int) OWNER TO kinds_writer;
-- altered (17): operator k_op.!==(integer,integer)
ALTER OPERATOR k_op.!== (int, int) SET (HASHES);
-- renamed: operator k_op2.!-(NONE,integer)
ALTER OPERATOR k_op.!- (NONE, int) SET SCHEMA k_op2;
-- dropped: operator k_op.!%(NONE,integer)
DROP OPERATOR k_op.!% (NONE, int);
-- no granted: privileges are on its function
-- commented: operator k_op2.!-(NONE,integer)
COMMENT ON OPERATOR k_op2.!- (NONE, int) IS 'neg';

-- kind: operator family
-- dumped as: OPERATOR FAMILY
-- prepare
CREATE OPERATOR FAMILY k_op.fam_gone USING btree;
CREATE FUNCTION k_op.cmp8(int, bigint) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE FUNCTION k_op.eq8(int, bigint) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR k_op.=== (FUNCTION = k_op.eq8, LEFTARG = int, RIGHTARG = bigint);
-- created: operator family k_op.fam USING btree
CREATE OPERATOR FAMILY k_op.fam USING btree;
-- altered: operator family k_op.fam USING btree
ALTER OPERATOR FAMILY k_op.fam USING btree ADD OPERATOR 3 k_op.=== (int, bigint), FUNCTION 1 (int, bigint) k_op.cmp8(int, bigint);
ALTER OPERATOR FAMILY k_op.fam USING btree DROP FUNCTION 1 (int, bigint);
ALTER OPERATOR FAMILY k_op.fam USING btree OWNER TO kinds_writer;
-- renamed: operator family k_op."F am" USING btree
ALTER OPERATOR FAMILY k_op.fam USING btree RENAME TO "F am";
-- renamed: operator family k_op2."F am" USING btree
ALTER OPERATOR FAMILY k_op."F am" USING btree SET SCHEMA k_op2;
-- dropped: operator family k_op.fam_gone USING btree
DROP OPERATOR FAMILY k_op.fam_gone USING btree;
-- no granted: there are no privileges on it
-- commented: operator family k_op2."F am" USING btree
COMMENT ON OPERATOR FAMILY k_op2."F am" USING btree IS 'fam';

-- kind: operator class
-- dumped as: OPERATOR CLASS
-- prepare
CREATE OPERATOR CLASS k_op.oc_gone FOR TYPE int USING hash AS STORAGE int;
-- created: operator class k_op.oc USING btree
CREATE OPERATOR CLASS k_op.oc FOR TYPE int USING btree FAMILY k_op2."F am" AS OPERATOR 3 k_op.===, FUNCTION 1 k_op.cmp(int, int);
-- created: operator class k_op.oc_alone USING btree
CREATE OPERATOR CLASS k_op.oc_alone FOR TYPE int USING btree AS OPERATOR 3 k_op.===, FUNCTION 1 k_op.cmp(int, int);
-- altered: operator class k_op.oc USING btree
ALTER OPERATOR CLASS k_op.oc USING btree OWNER TO kinds_writer;
-- renamed: operator class k_op."O c" USING btree
ALTER OPERATOR CLASS k_op.oc USING btree RENAME TO "O c";
-- renamed: operator class k_op2."O c" USING btree
ALTER OPERATOR CLASS k_op."O c" USING btree SET SCHEMA k_op2;
-- dropped: operator class k_op.oc_gone USING hash
DROP OPERATOR CLASS k_op.oc_gone USING hash;
-- no granted: there are no privileges on it
-- commented: operator class k_op2."O c" USING btree
COMMENT ON OPERATOR CLASS k_op2."O c" USING btree IS 'oc';

-- kind: access method
-- dumped as: ACCESS METHOD
-- prepare
CREATE ACCESS METHOD am_gone TYPE TABLE HANDLER heap_tableam_handler;
-- created: access method k_btree
CREATE ACCESS METHOD k_btree TYPE INDEX HANDLER bthandler;
-- created: access method k_heap
CREATE ACCESS METHOD k_heap TYPE TABLE HANDLER heap_tableam_handler;
-- no altered: there is no ALTER ACCESS METHOD
-- no renamed: there is no ALTER ACCESS METHOD
-- dropped: access method am_gone
DROP ACCESS METHOD am_gone;
-- no granted: there are no privileges on it
-- commented: access method k_heap
COMMENT ON ACCESS METHOD k_heap IS 'am';

-- kind: text search parser
-- dumped as: TEXT SEARCH PARSER
-- prepare
CREATE TEXT SEARCH PARSER k_op.par_gone (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
-- created: text search parser k_op.par
CREATE TEXT SEARCH PARSER k_op.par (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, HEADLINE = prsd_headline, LEXTYPES = prsd_lextype);
-- no altered: it has no owner, and ALTER only renames it
-- renamed: text search parser k_op."P ar"
ALTER TEXT SEARCH PARSER k_op.par RENAME TO "P ar";
-- renamed: text search parser k_op2."P ar"
ALTER TEXT SEARCH PARSER k_op."P ar" SET SCHEMA k_op2;
-- dropped: text search parser k_op.par_gone
DROP TEXT SEARCH PARSER k_op.par_gone;
-- no granted: there are no privileges on it
-- commented: text search parser k_op2."P ar"
COMMENT ON TEXT SEARCH PARSER k_op2."P ar" IS 'p';

-- kind: text search template
-- dumped as: TEXT SEARCH TEMPLATE
-- prepare
CREATE TEXT SEARCH TEMPLATE k_op.tem_gone (LEXIZE = dsimple_lexize);
-- created: text search template k_op.tem
CREATE TEXT SEARCH TEMPLATE k_op.tem (INIT = dsimple_init, LEXIZE = dsimple_lexize);
-- no altered: it has no owner, and ALTER only renames it
-- renamed: text search template k_op."T em"
ALTER TEXT SEARCH TEMPLATE k_op.tem RENAME TO "T em";
-- renamed: text search template k_op2."T em"
ALTER TEXT SEARCH TEMPLATE k_op."T em" SET SCHEMA k_op2;
-- dropped: text search template k_op.tem_gone
DROP TEXT SEARCH TEMPLATE k_op.tem_gone;
-- no granted: there are no privileges on it
-- commented: text search template k_op2."T em"
COMMENT ON TEXT SEARCH TEMPLATE k_op2."T em" IS 't';

-- kind: text search dictionary
-- dumped as: TEXT SEARCH DICTIONARY
-- prepare
CREATE TEXT SEARCH DICTIONARY k_op.dict_gone (TEMPLATE = pg_catalog.simple);
-- created: text search dictionary k_op.dict
CREATE TEXT SEARCH DICTIONARY k_op.dict (TEMPLATE = k_op2."T em", STOPWORDS = english, ACCEPT = false);
-- altered: text search dictionary k_op.dict
ALTER TEXT SEARCH DICTIONARY k_op.dict (ACCEPT = true, STOPWORDS);
ALTER TEXT SEARCH DICTIONARY k_op.dict OWNER TO kinds_writer;
-- renamed: text search dictionary k_op."D ict"
ALTER TEXT SEARCH DICTIONARY k_op.dict RENAME TO "D ict";
-- renamed: text search dictionary k_op2."D ict"
ALTER TEXT SEARCH DICTIONARY k_op."D ict" SET SCHEMA k_op2;
-- dropped: text search dictionary k_op.dict_gone
DROP TEXT SEARCH DICTIONARY k_op.dict_gone;
-- no granted: there are no privileges on it
-- commented: text search dictionary k_op2."D ict"
COMMENT ON TEXT SEARCH DICTIONARY k_op2."D ict" IS 'd';

-- kind: text search configuration
-- dumped as: TEXT SEARCH CONFIGURATION
-- prepare
CREATE TEXT SEARCH CONFIGURATION k_op.conf_gone (PARSER = pg_catalog."default");
-- created: text search configuration k_op.conf
CREATE TEXT SEARCH CONFIGURATION k_op.conf (PARSER = k_op2."P ar");
-- created: text search configuration k_op.copied
CREATE TEXT SEARCH CONFIGURATION k_op.copied (COPY = pg_catalog.english);
-- altered: text search configuration k_op.conf
ALTER TEXT SEARCH CONFIGURATION k_op.conf ADD MAPPING FOR asciiword, word WITH k_op2."D ict", english_stem;
ALTER TEXT SEARCH CONFIGURATION k_op.conf ALTER MAPPING REPLACE english_stem WITH simple;
ALTER TEXT SEARCH CONFIGURATION k_op.conf DROP MAPPING FOR word;
ALTER TEXT SEARCH CONFIGURATION k_op.conf OWNER TO kinds_writer;
-- renamed: text search configuration k_op."C onf"
ALTER TEXT SEARCH CONFIGURATION k_op.conf RENAME TO "C onf";
-- renamed: text search configuration k_op2."C onf"
ALTER TEXT SEARCH CONFIGURATION k_op."C onf" SET SCHEMA k_op2;
-- dropped: text search configuration k_op.conf_gone
DROP TEXT SEARCH CONFIGURATION k_op.conf_gone;
-- no granted: there are no privileges on it
-- commented: text search configuration k_op2."C onf"
COMMENT ON TEXT SEARCH CONFIGURATION k_op2."C onf" IS 'c';
