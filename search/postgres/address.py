"""Where a catalogue is in PostgreSQL: `postgresql://USER@HOST/DATABASE?catalogue=NAME`."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from search.errors import IndexUnavailable

DEFAULT_CATALOGUE = "documents"

# With what stands before it, a name in PostgreSQL has at most 63 bytes.
_CATALOGUE = re.compile("[a-z][a-z0-9_]{0,39}")
# Where no host is given, libpq takes this machine's socket.
_THIS_MACHINE = ("", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """A database, by libpq's parameters, and a catalogue in it; as text it has no password.

    What the URL leaves out comes from where libpq looks: PGPASSWORD and the like, ~/.pgpass, a service file.
    """

    parameters: dict[str, str] = field(repr=False)
    catalogue: str = DEFAULT_CATALOGUE

    @classmethod
    def of(cls, url: str) -> Self:
        """The address that a URL says. Raises `IndexUnavailable`."""
        server, _, rest = url.partition("?")
        query = parse_qsl(rest, keep_blank_values=True)
        others = [(key, value) for key, value in query if key != "catalogue"]
        catalogue = dict(query).get("catalogue", DEFAULT_CATALOGUE)
        if not _CATALOGUE.fullmatch(catalogue):
            raise IndexUnavailable(
                f'"{catalogue[:100]}" is no name for a catalogue; use up to 40 small letters, digits and underscores'
            )
        try:
            _check_escaped(server)
            found = conninfo_to_dict(f"{server}?{urlencode(others, quote_via=quote)}")
        except (psycopg.ProgrammingError, ValueError):
            # What it says quotes the URL, with the password.
            advice = "use postgresql://USER@HOST:PORT/DATABASE?catalogue=NAME, special characters written as %40"
            raise IndexUnavailable(f"the database's address cannot be read; {advice}") from None
        return cls({key: str(value) for key, value in found.items() if value is not None}, catalogue)

    @property
    def namespace(self) -> str:
        """PostgreSQL's schema that has the catalogue's tables."""
        return f"sayseek_{self.catalogue}"

    @property
    def place(self) -> tuple[str, ...]:
        """The same for two addresses of one catalogue, as far as that can be told without asking the database."""
        defaults = {option.keyword.decode(): option.val.decode() for option in Conninfo.get_defaults() if option.val}
        found = defaults | self.parameters
        host = (found.get("host") or found.get("hostaddr") or "").lower()
        if host in _THIS_MACHINE:
            host = "localhost"
        database = found.get("dbname") or found.get("user", "")
        return host, found.get("port", ""), database, found.get("service", ""), self.namespace

    def __str__(self) -> str:
        host = self.parameters.get("host") or self.parameters.get("hostaddr") or "this machine"
        port = f":{self.parameters['port']}" if "port" in self.parameters else ""
        database = f' "{self.parameters["dbname"]}"' if "dbname" in self.parameters else ""
        return f'catalogue "{self.catalogue}" in the database{database} on {host}{port}'


def _check_escaped(server: str) -> None:
    """Raises ValueError where a part of a password with "@" or "/" would be taken for the host or the database."""
    login_and_host, _, database = server.partition("//")[2].partition("/")
    if login_and_host.count("@") > 1 or "@" in database:
        raise ValueError
