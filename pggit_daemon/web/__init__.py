"""The HTTP server of status pages and metrics."""
