-- What of connections may be shown: lists of what is known to be harmless, so that a new name is masked until it is known.

-- What of a connection string may be shown: these keywords of libpq. The values of all others are masked, whatever they
-- are called in this version or the next.
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_keywords() RETURNS text[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '{host,hostaddr,port,dbname,user,application_name,fallback_application_name,client_encoding,connect_timeout,
             keepalives,keepalives_idle,keepalives_interval,keepalives_count,tcp_user_timeout,sslmode,requiressl,
             sslnegotiation,sslcompression,sslcert,sslkey,sslrootcert,sslcrl,sslcrldir,sslsni,sslcertmode,
             ssl_min_protocol_version,ssl_max_protocol_version,min_protocol_version,max_protocol_version,channel_binding,
             require_auth,requirepeer,krbsrvname,gssencmode,gsslib,gssdelegation,service,target_session_attrs,
             load_balance_hosts,replication}'::text[]
$$;

-- The options of foreign things that hold no secret: the keywords above, and what the known wrappers call the places, the
-- costs and the ways of reading. A value that looks like a whole connection string may hold more than its name says.
CREATE OR REPLACE FUNCTION pggit_daemon.harmless_options(options text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
    SELECT array_agg(o.word ORDER BY o.place)
      FROM unnest(options) WITH ORDINALITY AS o (word, place),
           LATERAL (SELECT lower(split_part(o.word, '=', 1) COLLATE "C"), substr(o.word, strpos(o.word, '=') + 1)) AS s (name, value)
     WHERE (s.name = ANY (pggit_daemon.harmless_keywords())
            OR s.name = ANY ('{address,analyze_sampling,async_capable,authentication_database,batch_size,catalog,
                  character_set,database,dbserver,dbuse,driver,drivername,encoding,extensions,fdw_startup_cost,
                  fdw_tuple_cost,fetch_size,format,isolation_level,keep_connections,language,log_remote_sql,msg_handler,
                  nchar,odbc_driver,parallel_abort,parallel_commit,password_required,prefetch,protocol,read_preference,
                  reconnect,region,replica_set,row_estimate_method,schema,secure_auth,server,servername,sql_mode,ssl,
                  ssl_ca,ssl_capath,ssl_cert,ssl_key,tds_version,timeout,truncatable,updatable,use_remote_estimate,
                  use_scram_passthrough,user_name,username,wrapper}'::text[]))
       AND s.value !~* '://|(password|passwd|pwd|secret|token|key)\s*='
$$;
