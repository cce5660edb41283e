"""The README, followed word for word on a fresh Debian with systemd: `make test-install`.

In: this clone, root's rights, Debian's and Python's package registries. Out: figures, and 0 only if the README's
commands end in a running service with a linked commit. Not part of `make test`: it installs a system of its own.
"""
