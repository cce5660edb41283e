-- opened: function f()
-- the script of pg_dump does not restore
CREATE DOMAIN d AS int;
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1::d::int; END;
ALTER DOMAIN d SET DEFAULT f();
