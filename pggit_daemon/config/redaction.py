"""Taking secrets out of text that will be seen.

In: a connection string, or any text that may hold one. Out: the same text with every password replaced.
Used by the configuration's errors, by the log's last processor and by what the commands print. It
errs on the side of hiding: what cannot be told apart from a password goes.
"""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

HIDDEN = "***"
SECRET_KEYS = frozenset({"password", "passwd", "sslpassword", "oauth_client_secret", "scram_client_key", "secret"})

# postgresql://user:password@host; the password ends at the last @, as people forget to escape one. No scheme is
# longer than the bound, without which a long word would be searched again from each of its letters.
_USERINFO = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@?#]*):(?P<secret>\S*)@")
# password=value in a conninfo or in a URI's query; the value may be quoted, with \' and \\ inside.
_ASSIGNMENT = re.compile(
    rf"(?P<head>\b(?:{'|'.join(sorted(SECRET_KEYS))})\s*=\s*)"
    r"(?P<secret>'(?:[^'\\]|\\.)*'?|\"[^\"]*\"?|\S+)",
    re.IGNORECASE,
)
# ALTER ROLE … PASSWORD 'value', as the server's messages and statements repeat it.
_STATEMENT = re.compile(r"(?P<head>\bPASSWORD\s+)(?P<secret>E?'(?:[^'\\]|\\.|'')*'?)", re.IGNORECASE)


def redact(text: str) -> str:
    """Hide the passwords of conninfo strings, URIs and role statements in a text."""
    text = _USERINFO.sub(rf"\g<head>:{HIDDEN}@", text)
    for pattern in (_ASSIGNMENT, _STATEMENT):
        text = pattern.sub(rf"\g<head>{HIDDEN}", text)
    return text


def redact_dsn(dsn: str) -> str:
    """Hide the password of a connection string; one that libpq cannot read is hidden whole."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return HIDDEN
    return redact(dsn)


def is_secret_key(key: str) -> bool:
    """Tell whether a value under this name is to be hidden whole."""
    lowered = key.lower()
    return any(word in lowered for word in SECRET_KEYS) or lowered in {"token", "authorization"}
