"""init, upgrade and uninstall of the two schemas."""
