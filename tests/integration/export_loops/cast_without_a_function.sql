-- opened: type base
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, INTERNALLENGTH = variable);
CREATE CAST (base AS text) WITHOUT FUNCTION;
CREATE TABLE t (b base);
CREATE VIEW v AS SELECT b::text AS x FROM t;
CREATE FUNCTION of_view(v) RETURNS base LANGUAGE sql AS 'SELECT NULL::cast_without_a_function.base';
CREATE CAST (v AS base) WITH FUNCTION of_view(v);
