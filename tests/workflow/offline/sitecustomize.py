"""Guard of the network in every Python process of a run: what asks for another host is noted, and refused."""

import ipaddress
import os
import socket
import sys

FILE = os.environ.get("LESIONMAP_TEST_CONNECTIONS", "")  # noqa: TID251 nothing else reaches every process of a run
"""The notes."""
EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}
"""Audit event → which of its arguments is the address."""


def host_of(address: object) -> str:
    """Host of an address; empty for one that has none, such as a socket in a file."""
    host = address[0] if isinstance(address, tuple) and address else address
    text = host.decode(errors="replace") if isinstance(host, bytes) else host
    return text if isinstance(text, str) and not text.startswith(("/", "\0")) else ""


def is_here(host: str) -> bool:
    """Loopback: whether a host is this one."""
    if host in ("", "localhost", socket.gethostname()):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def guard(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse what leads to another host."""
    if event in EVENTS and not is_here(host := host_of(arguments[EVENTS[event]])):
        with open(FILE, "a", encoding="utf-8") as notes:
            notes.write(f"{event} {host} {' '.join(sys.argv)}\n")
        raise ConnectionRefusedError(f"a test refuses {event} {host}")


if FILE:
    sys.addaudithook(guard)
