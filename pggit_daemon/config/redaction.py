"""Taking secrets out of text that will be seen.

In: a connection string, or any text that may hold one. Out: the same text with every secret replaced, and nothing else.
Used by the configuration's errors, by the log's last processor and by what the commands print.

Of a connection string only the keywords of a list are shown, so that one which a later libpq knows is hidden until
somebody looks at it. In other text, where words stand before equal signs for many reasons, the values of libpq's other
keywords and of names that speak of secrets are hidden. What cannot be told apart from a password goes with it.
"""

from __future__ import annotations

import re
from functools import lru_cache

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

HIDDEN = "***"

SHOWN = frozenset({
    "host", "hostaddr", "port", "dbname", "user", "application_name", "fallback_application_name", "connect_timeout",
    "client_encoding", "service", "passfile", "target_session_attrs", "load_balance_hosts", "replication",
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "sslmode", "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslsni",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "sslcertmode", "requirepeer", "require_auth",
    "channel_binding", "gssencmode", "krbsrvname", "gsslib", "gssdelegation",
    "min_protocol_version", "max_protocol_version",
})  # fmt: skip
"""Keywords of a connection string whose values are no secret."""

_NAMES = ("password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "client_key", "authorization")
SECRET_KEYS = frozenset(_NAMES)

# What libpq knows and the list above does not, and what speaks of a secret by its name.
_KNOWN = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
_WORDS = "|".join(sorted(_KNOWN - SHOWN | {"pwd", "oauth_client_secret", "scram_client_key", "scram_server_key"}))
_SPEAKING = rf"\w*(?:{'|'.join(_NAMES)})"

# postgresql://user:password@host. The password ends at the last @ before the next quotation mark, as people forget to
# escape one. No scheme is longer than the bound, without which a long word would be searched again from each letter.
_USERINFO = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@?#\"]{0,255}):(?P<secret>(?:[^\s\"]*@|\S*@))")
# keyword=value, as in a connection string, in a URI's query or in somebody's text. In quotes the value may hold
# anything; without, it ends at a blank or &, and the marks that close a sentence around it are not part of it.
_ASSIGNMENT = re.compile(
    rf"(?P<head>(?<![A-Za-z0-9_])(?:{_WORDS}|{_SPEAKING}){{1}}\s*=\s*)"
    r"(?P<secret>'(?:[^'\\\n]|\\.|'')*(?:'|$)|\"(?:[^\"\\\n]|\\.)*(?:\"|$)|(?:\\.|[^\s&'\"])(?:\\.|\S)*?(?=[\]\)}>'\",;.:]*(?:\s|&|$)))",
    re.IGNORECASE | re.MULTILINE,
)
# {"password": "value"} and 'password': 'value', as JSON and Python print them.
_MEMBER = re.compile(
    rf"(?P<head>(?P<mark>[\"'])(?:{_WORDS}|{_SPEAKING})(?P=mark)\s*:\s*)"
    r"(?P<secret>'(?:[^'\\\n]|\\.)*(?:'|$)|\"(?:[^\"\\\n]|\\.)*(?:\"|$))",
    re.IGNORECASE | re.MULTILINE,
)
# ALTER ROLE ... PASSWORD 'value', as the server's messages and statements repeat it.
_STATEMENT = re.compile(
    r"(?P<head>\bPASSWORD\s+)(?P<secret>E?'(?:[^'\\\n]|\\.|'')*(?:'|$))", re.IGNORECASE | re.MULTILINE
)


_SECRETS = (
    ("://", _USERINFO, rf"\g<head>:{HIDDEN}@"),
    ("=", _ASSIGNMENT, rf"\g<head>{HIDDEN}"),
    (":", _MEMBER, rf"\g<head>{HIDDEN}"),
    ("'", _STATEMENT, rf"\g<head>{HIDDEN}"),
)
"""Each with what no match of it is without: nearly all that is logged has none of these."""


def redact(text: str) -> str:
    """Hide the secrets of connection strings, URIs and role statements in a text."""
    for mark, pattern, shown in _SECRETS:
        if mark in text:
            text = pattern.sub(shown, text)
    return text


def redact_dsn(dsn: str) -> str:
    """Hide what is not on the list in a connection string; one that libpq cannot read is hidden whole."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return HIDDEN
    hidden = parts.keys() - SHOWN
    if hidden <= {"password"}:
        # As it was written, where that hides the only secret.
        written = redact(dsn)
        if str(parts.get("password") or HIDDEN) not in written.replace(HIDDEN, ""):
            return written
    return make_conninfo("", **{key: HIDDEN if key in hidden else value for key, value in parts.items()})


@lru_cache(maxsize=256)
def is_secret_key(key: str) -> bool:
    """Tell whether a value under this name is to be hidden whole."""
    lowered = key.lower()
    return any(word in lowered for word in SECRET_KEYS)
