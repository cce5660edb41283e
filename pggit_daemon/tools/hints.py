"""Who a tool's sessions usually are. A hint decides between candidates, it never makes one. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from pggit_daemon.model.session import Session

PEOPLE = ("psql", "pgAdmin *", "DBeaver *", "DataGrip *")
"""Programs in which people type; a tool that is one of them says so in its preset."""


class SessionHints(BaseModel):
    """`usual_application_name` is that of the sessions which run DDL, `row_application_name` of those that write the
    rows or hold the lock, where that is another. `never` are programs of people. `callbacks`: it also runs DDL on a new
    connection beside the one that holds its lock, which other sessions are recorded for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    usual_application_name: str | None = None
    row_application_name: str | None = None
    never: tuple[str, ...] = PEOPLE
    callbacks: bool = False
    user: str | None = None
    application_name: str | None = None

    def rule_out(self, session: Session) -> bool:
        """Whether the preset or the configuration says that such a session is never the tool's."""
        return self.is_of_people(session) or self.excludes(session)

    def is_of_people(self, session: Session) -> bool:
        """Whether it has the name of a program of people. Behind a pooler it may have it from who had it before."""
        return any(fnmatchcase(session.profile.application_name, pattern) for pattern in self.never)

    def excludes(self, session: Session) -> bool:
        """Whether the configuration names another user or application."""
        name = session.profile.application_name
        return (self.user is not None and self.user != session.profile.user) or (
            self.application_name is not None and not fnmatchcase(name, self.application_name)
        )

    def looks_usual(self, session: Session) -> bool:
        """Whether the session has the name under which the tool usually runs DDL."""
        usual = self.usual_application_name
        return usual is not None and fnmatchcase(session.profile.application_name, usual)
