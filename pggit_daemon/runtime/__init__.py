"""The process: supervisor, worker, backoff, systemd."""
