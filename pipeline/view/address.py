"""Address of a server on this machine: a token that only its own pages know, and the host names of this machine."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

__all__ = ["HOSTS", "Address", "safe_parts"]

HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""Host names that a request may have, with any port, because an ssh tunnel may start at another one. A foreign site
whose name resolves to this machine sends its own name and is refused."""


def _token() -> str:
    return secrets.token_urlsafe(18)


@dataclass(frozen=True, slots=True)
class Address:
    """Address under which a server answers."""

    token: str = field(default_factory=_token)
    """First part of every path; it cannot be guessed."""

    def is_own_host(self, header: str | None) -> bool:
        """Test of a Host header: whether it names this machine.

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
        """Parts of the path after the token; None for another token or an invalid part.

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
    """Names of a path, decoded once; None if one is hidden, leads up, holds a separator, or is empty except the last."""
    if quoted and not quoted[-1]:
        quoted = quoted[:-1]
    names = tuple(unquote(each, errors="surrogateescape") for each in quoted)
    safe = all(each and not each.startswith(".") and not set(each) & set("/\\\0") for each in names)
    return names if safe else None
