# PostgreSQL with wal2json: for the tests where a Docker engine answers, and for trying things out.
ARG PG_MAJOR=17
FROM postgres:${PG_MAJOR}-bookworm
ARG PG_MAJOR
RUN apt-get update \
 && apt-get install -y --no-install-recommends "postgresql-${PG_MAJOR}-wal2json" \
 && rm -rf /var/lib/apt/lists/*
# Releases from August 2026 on refuse plugins that are not listed; older ones do not know the setting and
# would not start with it. So it is written only where the server knows it.
RUN if gosu postgres sh -c 'initdb -D /tmp/probe >/dev/null && postgres -D /tmp/probe -C output_plugin_libraries' >/dev/null 2>&1; \
    then echo "output_plugin_libraries = 'pgoutput, test_decoding, wal2json'" >> /usr/share/postgresql/postgresql.conf.sample; fi; \
    rm -rf /tmp/probe
CMD ["postgres", "-c", "wal_level=logical", "-c", "max_wal_senders=20", "-c", "max_replication_slots=20"]
