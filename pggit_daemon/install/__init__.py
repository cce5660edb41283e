"""Installing, upgrading and removing the database side.

In: a superuser's connection to the database to follow. Out: the schemas `pggit` and `pggit_daemon` as this
version of the code needs them, or nothing changed at all. Called by `pggit-daemon init` and `uninstall`,
and by the tests. Everything happens in one transaction.
"""

from pggit_daemon.install.removal import UninstallReport, uninstall
from pggit_daemon.install.state import check_rights, installed_version, replicated_by
from pggit_daemon.install.upgrade import InstallReport, install, plan

__all__ = [
    "InstallReport",
    "UninstallReport",
    "check_rights",
    "install",
    "installed_version",
    "plan",
    "replicated_by",
    "uninstall",
]
