"""From where the server may be addressed: a page on the internet must not act through its reader's browser."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ui.server.options import ServerOptions
from ui.server.refusals import ForeignRequest

if TYPE_CHECKING:
    from starlette.types import Scope

OWN_SITES = (b"same-origin", b"none")  # what Sec-Fetch-Site says of the server's own pages and of the address bar
DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Tells whether an address is reached from this machine alone.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


class Origins:
    """The names that a server goes by, which is served on the address `host`.

    On this machine's own address, names that others could give it are refused: a page whose name leads here is of
    the same origin, to a browser. On other addresses such a page would need a token; without tokens it is
    refused for having a name at all.
    """

    def __init__(self, host: str, options: ServerOptions, has_tokens: bool) -> None:
        self._is_loopback, self._has_tokens = is_loopback(host), has_tokens
        self._names = {"localhost", host.lower(), *map(str.lower, options.allowed_hosts)}
        if not self._is_loopback:
            self._names.add(socket.gethostname().lower())

    def check(self, scope: Scope) -> None:
        """Raises `ForeignRequest` when a name or an origin is not the server's."""
        host = single_header(scope, b"host")
        if host is None or not self._is_own(_name_of(host)):
            raise ForeignRequest(
                f"This server does not go by the name in the Host header, {host!r}; "
                "`audio-ml serve --allow-host NAME` adds one."
            )
        headers = dict(scope["headers"])
        if headers.get(b"sec-fetch-site", b"none") not in OWN_SITES:
            raise ForeignRequest("Pages of other sites may not use this server.")
        origin = headers.get(b"origin")
        if origin is not None and not _is_same(origin.decode("latin-1"), host):
            raise ForeignRequest("Pages of other origins may not use this server.")

    def _is_own(self, name: str) -> bool:
        if name in self._names:
            return True
        address = _address(name)
        if self._is_loopback:
            return address is not None and address.is_loopback
        return self._has_tokens or address is not None


def single_header(scope: Scope, name: bytes) -> str | None:
    """Returns a header that was sent once; None for one that was not, or several times."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else None


def _name_of(host: str) -> str:
    """Returns the name of a Host header, without its port.

    >>> _name_of("LOCALHOST:8000"), _name_of("[::1]:8000")
    ('localhost', '::1')
    """
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_same(origin: str, host: str) -> bool:
    """Tells whether an origin is the server's: a proxy may speak another scheme, but name and port are the same.

    >>> _is_same("http://localhost:8000", "localhost:8000"), _is_same("null", "localhost:8000")
    (True, False)
    """
    try:
        parts = urlsplit(origin)
        port = DEFAULT_PORTS[parts.scheme]
        theirs, ours = urlsplit(f"//{parts.netloc}"), urlsplit(f"//{host}")
        return bool(theirs.hostname) and (theirs.hostname, theirs.port or port) == (ours.hostname, ours.port or port)
    except (ValueError, KeyError):
        return False
