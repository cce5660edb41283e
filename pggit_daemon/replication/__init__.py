"""The replication protocol and its connection: bytes from the slot."""
