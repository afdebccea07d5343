"""Address of a server of this machine: a token that its own pages know, and names of hosts that are this machine."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

__all__ = ["HOSTS", "Address", "safe_parts"]

HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""Names under which a browser may ask. Any port: a tunnel of ssh may begin at another one. A page of a foreign site whose
name was made to point here asks under that name."""


def _token() -> str:
    return secrets.token_urlsafe(18)


@dataclass(frozen=True, slots=True)
class Address:
    """Address under which a server answers."""

    token: str = field(default_factory=_token)
    """First part of every path, which nobody can guess."""

    def is_own_host(self, header: str | None) -> bool:
        """Host header: whether it names this machine.

        Examples
        --------
        >>> Address("t").is_own_host("localhost:8000"), Address("t").is_own_host("evil.example:8000")
        (True, False)
        """
        if not header:
            return False
        name, _, port = header.rpartition(":") if not header.endswith("]") and ":" in header else (header, "", "")
        return name.lower() in HOSTS and (not port or port.isdecimal())

    def parts(self, target: str) -> tuple[str, ...] | None:
        """Parts of the path behind the token; None where the token is another, or a part is none.

        Examples
        --------
        >>> Address("t").parts("/t/a%20b/c?x=1"), Address("t").parts("/t/../etc"), Address("t").parts("/u/a")
        (('a b', 'c'), None, None)
        """
        first, *others = urlsplit(target).path.removeprefix("/").split("/")
        if not secrets.compare_digest(first.encode(), self.token.encode()):
            return None
        return safe_parts(others)


def safe_parts(quoted: list[str]) -> tuple[str, ...] | None:
    """Names of a path, decoded once; None where one is hidden, leads up, is empty but the last, or holds a separator."""
    if quoted and not quoted[-1]:
        quoted = quoted[:-1]
    names = tuple(unquote(each, errors="surrogateescape") for each in quoted)
    safe = all(each and not each.startswith(".") and not set(each) & set("/\\\0") for each in names)
    return names if safe else None
