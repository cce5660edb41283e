-- kind: enum
-- prepare
CREATE SCHEMA k_type;
CREATE SCHEMA k_type2;
CREATE TYPE k_type.enum_gone AS ENUM ();
-- created: type k_type.colour
CREATE TYPE k_type.colour AS ENUM ('red', 'it''s');
-- altered: type k_type.colour
ALTER TYPE k_type.colour ADD VALUE 'blue' BEFORE 'red';
ALTER TYPE k_type.colour RENAME VALUE 'red' TO 'crimson';
ALTER TYPE k_type.colour OWNER TO kinds_writer;
-- renamed: type k_type."Col our"
ALTER TYPE k_type.colour RENAME TO "Col our";
-- renamed: type k_type2."Col our"
ALTER TYPE k_type."Col our" SET SCHEMA k_type2;
-- dropped: type k_type.enum_gone
DROP TYPE k_type.enum_gone;
-- granted: type k_type2."Col our"
REVOKE USAGE ON TYPE k_type2."Col our" FROM PUBLIC;
GRANT USAGE ON TYPE k_type2."Col our" TO kinds_reader WITH GRANT OPTION;
-- commented: type k_type2."Col our"
COMMENT ON TYPE k_type2."Col our" IS 'paint';

-- kind: composite type
-- prepare
CREATE TYPE k_type.comp_gone AS ();
-- created: type k_type.comp
CREATE TYPE k_type.comp AS (a int, "b c" varchar(5) COLLATE "C");
-- altered: type k_type.comp
ALTER TYPE k_type.comp ADD ATTRIBUTE d numeric(4,2), ALTER ATTRIBUTE a TYPE bigint;
ALTER TYPE k_type.comp DROP ATTRIBUTE d;
ALTER TYPE k_type.comp OWNER TO kinds_writer;
-- renamed: type k_type."Comp"
ALTER TYPE k_type.comp RENAME TO "Comp";
ALTER TYPE k_type."Comp" RENAME ATTRIBUTE a TO "a a";
-- renamed: type k_type2."Comp"
ALTER TYPE k_type."Comp" SET SCHEMA k_type2;
-- dropped: type k_type.comp_gone
DROP TYPE k_type.comp_gone;
-- granted: type k_type2."Comp"
GRANT USAGE ON TYPE k_type2."Comp" TO kinds_reader;
-- commented: type k_type2."Comp"
COMMENT ON TYPE k_type2."Comp" IS 'c';
COMMENT ON COLUMN k_type2."Comp"."a a" IS 'attribute';

-- kind: range
-- prepare
CREATE TYPE k_type.range_gone AS RANGE (SUBTYPE = date);
-- created: type k_type.fr
CREATE TYPE k_type.fr AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = k_type.many);
-- created: type k_type.tr
CREATE TYPE k_type.tr AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_OPCLASS = text_pattern_ops);
-- altered: type k_type.fr
ALTER TYPE k_type.fr OWNER TO kinds_writer;
ALTER TYPE k_type.many RENAME TO "Ma ny";
-- renamed: type k_type."F r"
ALTER TYPE k_type.fr RENAME TO "F r";
-- renamed: type k_type2."F r"
ALTER TYPE k_type."F r" SET SCHEMA k_type2;
-- dropped: type k_type.range_gone
DROP TYPE k_type.range_gone;
-- granted: type k_type2."F r"
GRANT USAGE ON TYPE k_type2."F r" TO kinds_reader;
-- commented: type k_type2."F r"
COMMENT ON TYPE k_type2."F r" IS 'r';

-- kind: shell type
-- dumped as: SHELL TYPE
-- created: type k_type.shell
CREATE TYPE k_type.shell;
-- prepare
CREATE TYPE k_type.shell_gone;
CREATE TYPE k_type.base;
CREATE TYPE k_type.base_gone;
-- no altered: only CREATE TYPE can, which makes it a base type (the next row)
-- no renamed: the server refuses to alter what is only a shell
-- dropped: type k_type.shell_gone
DROP TYPE k_type.shell_gone;
-- no granted: the server refuses to alter what is only a shell
-- commented: type k_type.shell
COMMENT ON TYPE k_type.shell IS 'empty';

-- kind: base type
-- prepare
CREATE FUNCTION k_type.base_in(cstring) RETURNS k_type.base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION k_type.base_out(k_type.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION k_type.base_send(k_type.base) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE FUNCTION k_type.gone_in(cstring) RETURNS k_type.base_gone LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION k_type.gone_out(k_type.base_gone) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE k_type.base_gone (INPUT = k_type.gone_in, OUTPUT = k_type.gone_out, LIKE = int4);
-- created: type k_type.base
CREATE TYPE k_type.base (INPUT = k_type.base_in, OUTPUT = k_type.base_out, LIKE = int4, SUBSCRIPT = raw_array_subscript_handler, CATEGORY = 'N', PREFERRED = true, DEFAULT = '7', DELIMITER = ';', ELEMENT = int2);
-- altered: type k_type.base
ALTER TYPE k_type.base SET (SEND = k_type.base_send, ANALYZE = array_typanalyze);
ALTER TYPE k_type.base OWNER TO kinds_writer;
-- renamed: type k_type."Base"
ALTER TYPE k_type.base RENAME TO "Base";
-- renamed: type k_type2."Base"
ALTER TYPE k_type."Base" SET SCHEMA k_type2;
-- dropped: type k_type.base_gone
DROP TYPE k_type.base_gone CASCADE;
-- granted: type k_type2."Base"
REVOKE USAGE ON TYPE k_type2."Base" FROM PUBLIC;
-- commented: type k_type2."Base"
COMMENT ON TYPE k_type2."Base" IS 'b';

-- kind: domain
-- prepare
CREATE DOMAIN k_type.domain_gone AS int;
-- created: domain k_type.dom
CREATE DOMAIN k_type.dom AS varchar(10) COLLATE "C" DEFAULT 'x' NOT NULL;
-- altered: domain k_type.dom
ALTER DOMAIN k_type.dom SET DEFAULT 'it''s';
ALTER DOMAIN k_type.dom DROP NOT NULL;
ALTER DOMAIN k_type.dom OWNER TO kinds_writer;
-- renamed: domain k_type."D om"
ALTER DOMAIN k_type.dom RENAME TO "D om";
-- renamed: domain k_type2."D om"
ALTER DOMAIN k_type."D om" SET SCHEMA k_type2;
-- dropped: domain k_type.domain_gone
DROP DOMAIN k_type.domain_gone;
-- granted: domain k_type2."D om"
REVOKE USAGE ON DOMAIN k_type2."D om" FROM PUBLIC;
GRANT USAGE ON DOMAIN k_type2."D om" TO kinds_reader;
-- commented: domain k_type2."D om"
COMMENT ON DOMAIN k_type2."D om" IS 'd';

-- kind: constraint of a domain
-- prepare
CREATE DOMAIN k_type.checked AS int CONSTRAINT gone CHECK (VALUE <> 7);
-- created: domain k_type.checked
ALTER DOMAIN k_type.checked ADD CONSTRAINT "c k" CHECK (VALUE > 0) NOT VALID;
-- prepare
CREATE DOMAIN k_type.looped AS int DEFAULT 5;
CREATE FUNCTION k_type.of_looped(k_type.looped) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
-- created: domain k_type.looped
ALTER DOMAIN k_type.looped ADD CONSTRAINT looped CHECK (k_type.of_looped(VALUE));
-- created (17): domain k_type.checked
ALTER DOMAIN k_type.checked ADD CONSTRAINT nn NOT NULL;
-- altered: domain k_type.checked
ALTER DOMAIN k_type.checked VALIDATE CONSTRAINT "c k";
-- renamed: domain k_type.checked
ALTER DOMAIN k_type.checked RENAME CONSTRAINT "c k" TO ck;
-- dropped: domain k_type.checked by domain k_type.checked
ALTER DOMAIN k_type.checked DROP CONSTRAINT gone;
-- no granted: privileges are on the domain
-- commented: domain k_type.checked
COMMENT ON CONSTRAINT ck ON DOMAIN k_type.checked IS 'c';

-- kind: cast
-- dumped as: CAST
-- prepare
CREATE FUNCTION k_type.to_comp(text) RETURNS k_type2."Comp" LANGUAGE sql IMMUTABLE AS 'SELECT ROW(1, NULL)::k_type2."Comp"';
CREATE CAST (k_type2."Col our" AS varchar) WITH INOUT;
CREATE CAST (k_type2."Base" AS int) WITHOUT FUNCTION;
-- created: cast (pg_catalog.text AS k_type2."Comp")
CREATE CAST (text AS k_type2."Comp") WITH FUNCTION k_type.to_comp(text) AS ASSIGNMENT;
-- created: cast (k_type2."Comp" AS pg_catalog.text)
CREATE CAST (k_type2."Comp" AS text) WITH INOUT AS IMPLICIT;
-- no altered: there is no ALTER CAST
-- renamed: cast (pg_catalog.text AS k_type2.comp) by type k_type2.comp
ALTER TYPE k_type2."Comp" RENAME TO comp;
-- dropped: cast (k_type2."Col our" AS character varying)
DROP CAST (k_type2."Col our" AS varchar);
-- no granted: privileges are on its function and its types
-- commented: cast (pg_catalog.text AS k_type2.comp)
COMMENT ON CAST (text AS k_type2.comp) IS 'cast';

-- kind: collation
-- dumped as: COLLATION
-- prepare
CREATE COLLATION k_type.coll_gone FROM "C";
-- created: collation k_type.coll
CREATE COLLATION k_type.coll (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');
-- created: collation k_type."de i"
CREATE COLLATION k_type."de i" (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);
-- created (16): collation k_type.ruled
CREATE COLLATION k_type.ruled (provider = icu, locale = 'und', rules = '&V << w <<< W');
-- created (17): collation k_type.built
CREATE COLLATION k_type.built (provider = builtin, locale = 'C.UTF-8');
-- altered: collation k_type.coll
ALTER COLLATION k_type.coll OWNER TO kinds_writer;
ALTER COLLATION k_type.coll REFRESH VERSION;
-- renamed: collation k_type."C oll"
ALTER COLLATION k_type.coll RENAME TO "C oll";
-- renamed: collation k_type2."C oll"
ALTER COLLATION k_type."C oll" SET SCHEMA k_type2;
-- dropped: collation k_type.coll_gone
DROP COLLATION k_type.coll_gone;
-- no granted: there are no privileges on it
-- commented: collation k_type2."C oll"
COMMENT ON COLLATION k_type2."C oll" IS 'co';

-- kind: conversion
-- dumped as: CONVERSION
-- prepare
CREATE CONVERSION k_type.conv_gone FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
-- created: conversion k_type.conv
CREATE CONVERSION k_type.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
-- created: conversion k_type."conv 2"
CREATE DEFAULT CONVERSION k_type."conv 2" FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
-- altered: conversion k_type.conv
ALTER CONVERSION k_type.conv OWNER TO kinds_writer;
-- renamed: conversion k_type."Con v"
ALTER CONVERSION k_type.conv RENAME TO "Con v";
-- renamed: conversion k_type2."Con v"
ALTER CONVERSION k_type."Con v" SET SCHEMA k_type2;
-- dropped: conversion k_type.conv_gone
DROP CONVERSION k_type.conv_gone;
-- no granted: there are no privileges on it
-- commented: conversion k_type2."Con v"
COMMENT ON CONVERSION k_type2."Con v" IS 'conv';
