#!/usr/bin/env bash
# Installs what this machine lacks: sandbox/setup.sh python|server|java|promtool|systemd|node|pgbouncer|tools|machine …
#   python  Python 3.11+ that can make virtual environments
#   server  PostgreSQL with wal2json (PGGIT_PG_BIN names a server of your own instead)
#   java    a JDK and Maven, for the real Flyway and Liquibase
#   promtool  Prometheus' own checker, for the metrics and the alerting rules
#   systemd   systemd-analyze, which checks the unit file
#   node    Node.js and npm, for a migration history of theirs
#   pgbouncer  PgBouncer, for a tool that works through a pool of sessions
#   tools   Go, Rust, Ruby, PHP and Perl, with the migration tools that Debian has
#   machine debootstrap and systemd-nspawn, for a Debian of its own
# Root on Debian or Ubuntu: all that is missing is installed with one apt-get. Anybody else: the command is printed, exit code 1.
set -euo pipefail

wanted=()
reasons=()

# Note what is missing and why; all of it is installed at once, at the end.
want() {
    reasons+=("$1")
    shift
    wanted+=("$@")
}

install_wanted() {
    if [ ${#wanted[@]} -eq 0 ]; then return; fi
    printf 'setup: %s\n' "${reasons[@]}" >&2
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing ${wanted[*]}"
        refresh_packages
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${wanted[@]}"
    else
        echo "setup: on Debian and Ubuntu this mends it:" >&2
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${wanted[*]}" >&2
        exit 1
    fi
}

refreshed=
refresh_packages() {
    if [ -z "$refreshed" ]; then
        apt-get update -q
        refreshed=yes
    fi
}

need_python() {
    local python=${PYTHON:-python3}
    if ! command -v "$python" >/dev/null; then
        want "Python is missing" python3 python3-venv
        return
    fi
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "setup: Python 3.11 or newer is needed, $python is $("$python" -V); choose one with PYTHON=…" >&2
        exit 1
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null || want "Python cannot make virtual environments" python3-venv
}

# The same places as sandbox/servers.py.
servers() {
    local postgres
    for postgres in /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql@*/bin/postgres; do
        if [ -x "$postgres" ]; then dirname "$postgres"; fi
    done
    if command -v pg_config >/dev/null; then pg_config --bindir; fi
}

has_wal2json() {
    local libraries=$1/../lib
    if [ -x "$1/pg_config" ]; then libraries=$("$1/pg_config" --pkglibdir); fi
    [ -x "$1/initdb" ] && { [ -e "$libraries/wal2json.so" ] || [ -e "$libraries/wal2json.dylib" ]; }
}

need_server() {
    local folder major
    if [ -n "${PGGIT_PG_BIN:-}" ]; then return; fi
    for folder in $(servers); do
        if has_wal2json "$folder"; then return; fi
    done
    # The plugin for the newest server that is there, otherwise for the distribution's own version: it brings the
    # server. The server's package is not named: that would upgrade one that is already installed.
    major=$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sed 's|/usr/lib/postgresql/||; s|/.*||' | sort -n | tail -1) || true
    if [ -z "$major" ] && command -v apt-cache >/dev/null; then
        if [ "$(id -u)" -eq 0 ]; then refresh_packages; fi
        major=$(apt-cache show postgresql 2>/dev/null | sed -n 's/^Version: \([0-9]*\).*/\1/p' | sort -n | tail -1) || true
    fi
    want "no PostgreSQL server with wal2json found" "postgresql-${major:-15}-wal2json"
}

need_java() {
    local packages=()
    command -v javac >/dev/null || packages+=(default-jdk-headless)
    command -v mvn >/dev/null || packages+=(maven)
    if [ ${#packages[@]} -gt 0 ]; then
        want "Java or Maven is missing" "${packages[@]}"
    fi
}

need_promtool() {
    command -v promtool >/dev/null || want "promtool is missing" prometheus
}

need_systemd() {
    command -v systemd-analyze >/dev/null || want "systemd-analyze is missing" systemd
}

need_node() {
    command -v npm >/dev/null || want "Node.js or npm is missing" nodejs npm
}

need_pgbouncer() {
    # In /usr/sbin, which is not on everybody's PATH.
    PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer >/dev/null || want "PgBouncer is missing" pgbouncer
}

need_tools() {
    local packages=(
        sqitch libdbd-pg-perl libmojo-pg-perl ruby-activerecord ruby-pg ruby-sequel ruby-sequel-pg php-cli php-pgsql
        php-illuminate-database php-illuminate-filesystem php-illuminate-events php-illuminate-console libpq-dev
    )
    command -v go >/dev/null || packages+=(golang-go)
    command -v cargo >/dev/null || packages+=(cargo)
    dpkg -s "${packages[@]}" >/dev/null 2>&1 || want "migration tools of Debian are missing" "${packages[@]}"
}

need_machine() {
    command -v debootstrap >/dev/null && command -v systemd-nspawn >/dev/null ||
        want "debootstrap or systemd-nspawn is missing" debootstrap systemd-container
}

for part in "$@"; do
    case $part in
    python | server | java | promtool | systemd | node | pgbouncer | tools | machine) "need_$part" ;;
    *)
        echo "setup: unknown part: $part (python, server, java, promtool, systemd, node, pgbouncer, tools, machine)" >&2
        exit 2
        ;;
    esac
done
install_wanted
