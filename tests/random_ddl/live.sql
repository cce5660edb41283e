-- What there is to work with, as the asking session sees it: what the generator picks its targets from.
-- Names are quoted and ready for use; `parts` are [name, type] of columns and attributes, or labels.
WITH home AS (
    SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pggit', 'pggit_daemon')
), members AS (
    SELECT d.classid, d.objid FROM pg_depend d WHERE d.deptype = 'e'
), rel AS (
    SELECT c.oid, c.relkind, c.relispartition, h.name AS schema, quote_ident(c.relname) AS name,
           h.name || '.' || quote_ident(c.relname) AS ident,
           coalesce((SELECT jsonb_agg(jsonb_build_array(quote_ident(a.attname), format_type(a.atttypid, a.atttypmod))
                                      ORDER BY a.attnum)
                       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                    '[]') AS parts
      FROM pg_class c JOIN home h ON h.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_class'::regclass
                                                                       AND m.objid = c.oid)
), typ AS (
    SELECT t.oid, t.typtype, t.typrelid, h.name AS schema, quote_ident(t.typname) AS name,
           h.name || '.' || quote_ident(t.typname) AS ident, m.objid IS NOT NULL AS member,
           format_type(t.typbasetype, t.typtypmod) AS base
      FROM pg_type t JOIN home h ON h.oid = t.typnamespace
      LEFT JOIN members m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
     WHERE t.typtype IN ('e', 'c', 'd', 'r', 'b') AND t.typelem = 0
)
SELECT kind, schema, name, ident, of, parts FROM (
    SELECT CASE h.name WHEN 'public' THEN 'public' ELSE 'own schema' END AS kind, h.name AS schema, h.name, h.name AS ident, NULL AS of, '[]'::jsonb AS parts FROM home h
    UNION ALL
    SELECT CASE r.relkind WHEN 'r' THEN CASE WHEN r.relispartition THEN 'partition' ELSE 'plain' END
                          WHEN 'p' THEN 'partitioned' WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview'
                          WHEN 'S' THEN 'sequence' END,
           r.schema, r.name, r.ident,
           (SELECT p.ident FROM pg_inherits i JOIN rel p ON p.oid = i.inhparent WHERE i.inhrelid = r.oid LIMIT 1),
           CASE WHEN r.relkind = 'S' THEN '[]' ELSE r.parts END
      FROM rel r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'child', c.schema, c.name, c.ident, p.ident, c.parts
      FROM pg_inherits i JOIN rel p ON p.oid = i.inhparent JOIN rel c ON c.oid = i.inhrelid
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    UNION ALL
    SELECT CASE WHEN x.indisunique THEN 'unique index' ELSE 'index' END, r.schema, r.name, r.ident, t.ident, '[]'
      FROM rel r JOIN pg_index x ON x.indexrelid = r.oid JOIN rel t ON t.oid = x.indrelid
    UNION ALL
    SELECT CASE WHEN k.contype IN ('p', 'u') THEN 'key' WHEN k.contype = 'f' THEN 'foreign key' ELSE 'check' END,
           r.schema, quote_ident(k.conname), quote_ident(k.conname), r.ident,
           coalesce((SELECT jsonb_agg(jsonb_build_array(quote_ident(a.attname), format_type(a.atttypid, a.atttypmod))
                                      ORDER BY u.place)
                       FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
                       JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num), '[]')
      FROM pg_constraint k JOIN rel r ON r.oid = k.conrelid WHERE k.contype IN ('p', 'u', 'f', 'c', 'x')
    UNION ALL
    SELECT 'domain check', t.schema, quote_ident(k.conname), quote_ident(k.conname), t.ident, '[]'
      FROM pg_constraint k JOIN typ t ON t.oid = k.contypid
    UNION ALL
    SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' END,
           t.schema, t.name, t.ident, NULL,
           CASE t.typtype WHEN 'e' THEN (SELECT coalesce(jsonb_agg(jsonb_build_array(quote_literal(e.enumlabel), '')
                                                                   ORDER BY e.enumsortorder), '[]')
                                           FROM pg_enum e WHERE e.enumtypid = t.oid)
                          WHEN 'd' THEN jsonb_build_array(jsonb_build_array('VALUE', t.base)) ELSE '[]' END
      FROM typ t WHERE t.typtype IN ('e', 'd', 'r') AND NOT t.member
    UNION ALL
    SELECT 'composite', t.schema, t.name, t.ident, NULL, r.parts
      FROM typ t JOIN rel r ON r.oid = t.typrelid WHERE r.relkind = 'c' AND NOT t.member
    UNION ALL
    SELECT 'member type', t.schema, t.name, t.ident, NULL, '[]' FROM typ t WHERE t.typtype = 'b' AND t.member
    UNION ALL
    SELECT CASE WHEN p.prokind = 'p' THEN 'procedure' WHEN p.prokind = 'a' THEN 'aggregate'
                WHEN p.prorettype = 'trigger'::regtype THEN 'trigger function' ELSE 'function' END,
           h.name, quote_ident(p.proname),
           h.name || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           format_type(p.prorettype, NULL),
           coalesce((SELECT jsonb_agg(jsonb_build_array(coalesce(p.proargnames[a.place], ''), format_type(a.typ, NULL))
                                      ORDER BY a.place)
                       FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (typ, place)), '[]')
      FROM pg_proc p JOIN home h ON h.oid = p.pronamespace
     WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
       AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid
                                                 AND i.deptype = 'i')
    UNION ALL
    SELECT 'trigger', r.schema, quote_ident(t.tgname), quote_ident(t.tgname), r.ident, '[]'
      FROM pg_trigger t JOIN rel r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'rule', r.schema, quote_ident(w.rulename), quote_ident(w.rulename), r.ident, '[]'
      FROM pg_rewrite w JOIN rel r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'policy', r.schema, quote_ident(p.polname), quote_ident(p.polname), r.ident, '[]'
      FROM pg_policy p JOIN rel r ON r.oid = p.polrelid
    UNION ALL
    SELECT 'statistics', h.name, quote_ident(s.stxname), h.name || '.' || quote_ident(s.stxname), r.ident, '[]'
      FROM pg_statistic_ext s JOIN home h ON h.oid = s.stxnamespace JOIN rel r ON r.oid = s.stxrelid
    UNION ALL
    SELECT 'extension', NULL, quote_ident(e.extname), quote_ident(e.extname), NULL, '[]'
      FROM pg_extension e WHERE e.extname <> 'plpgsql'
    UNION ALL
    SELECT 'publication', NULL, quote_ident(p.pubname), quote_ident(p.pubname), NULL, '[]' FROM pg_publication p
) things WHERE kind IS NOT NULL
ORDER BY kind COLLATE "C", ident COLLATE "C", of COLLATE "C";
