#!/bin/sh
# Puts the service on this machine, as root, after the program itself is in /opt/pggit-daemon: the program on the PATH, its
# user, its unit, and a configuration where there is none yet. Again, after an upgrade: the unit and the user are
# replaced, the configuration stays.
set -eu
here=$(dirname "$0")

ln -sf /opt/pggit-daemon/bin/pggit-daemon /usr/local/bin/pggit-daemon
install -D -m 0644 "$here/pggit-daemon.sysusers" /etc/sysusers.d/pggit-daemon.conf
systemd-sysusers pggit-daemon.conf
install -D -m 0644 "$here/pggit-daemon.service" /etc/systemd/system/pggit-daemon.service
if [ ! -e /etc/pggit-daemon/config.toml ]; then
    # Readable by the service, and not by everybody: a connection string may hold a password.
    install -D -m 0640 -g pggit_daemon "$here/../config.example.toml" /etc/pggit-daemon/config.toml
fi
systemctl daemon-reload
