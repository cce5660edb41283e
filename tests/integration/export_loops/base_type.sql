-- opened: type base
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION base_mod(cstring[]) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, TYPMOD_IN = base_mod, TYPMOD_OUT = varchartypmodout,
    INTERNALLENGTH = variable, COLLATABLE = true, SUBSCRIPT = raw_array_subscript_handler, ELEMENT = int4);
CREATE TABLE t (b base(3), bs base[]);
CREATE FUNCTION f(t) RETURNS base LANGUAGE sql AS 'SELECT NULL::base';
CREATE CAST (t AS base) WITH FUNCTION f(t);
