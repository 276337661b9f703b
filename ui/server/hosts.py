"""Which other machines the server talks to: those on a list, and none of its own network by accident."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from audio_ml.errors import AudioMLError, InvalidInput

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"https": 443, "http": 80}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HostRefused(InvalidInput):
    """An address is not one that the server may talk to."""


class HostFailed(AudioMLError):
    """A host cannot be reached, or did not give what it was asked for."""

    http_status = 502


@dataclass(frozen=True)
class AllowedHost:
    """One entry of a list: where it may be private, `network` says in which network it lies."""

    scheme: str
    name: str
    port: int
    network: Network | None

    @staticmethod
    def parse(entry: str) -> AllowedHost:
        """Reads `[http://]HOST[:PORT][=NETWORK]`.

        Raises:
            InvalidInput: when it is something else.

        >>> AllowedHost.parse("http://nas.studio:8080=10.0.0.0/8").port
        8080
        """
        address, _, network = entry.strip().partition("=")
        try:
            parts = urlsplit(address if "://" in address else f"https://{address}")
            allowed = ipaddress.ip_network(network, strict=False) if network else _own_network(parts.hostname)
            if parts.scheme in PORTS and parts.hostname and not (parts.path or parts.query or parts.username):
                return AllowedHost(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], allowed)
        except ValueError:
            pass
        raise InvalidInput(
            f"{entry!r} is no host: write HOST, http://HOST:PORT, or HOST=NETWORK such as nas=10.0.0.0/8."
        )

    def admits(self, address: Address) -> bool:
        """Tells whether the host may be at an address."""
        mapped = getattr(address, "ipv4_mapped", None) or address
        if self.network is not None:
            return mapped in self.network
        return bool(mapped.is_global and not mapped.is_multicast)


class Hosts:
    """A list of hosts that may be talked to; nothing else is, and redirects lead to one of them or nowhere.

    >>> Hosts(["cdn.example.com"]).check("https://cdn.example.com/song.wav").name
    'cdn.example.com'
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._allowed = [AllowedHost.parse(entry) for entry in entries]

    def check(self, url: str) -> AllowedHost:
        """Returns the entry that allows a URL; opens no socket.

        Raises:
            HostRefused: when none does.
        """
        parts = _split(url)
        for allowed in self._allowed:
            if (parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]) == (
                *(allowed.scheme, allowed.name),
                allowed.port,
            ):
                return allowed
        raise HostRefused(f"The server may not talk to {parts.scheme}://{parts.netloc}.")

    @contextlib.contextmanager
    def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """Sends a request and gives the reply (of urllib3) to read from; redirects of a GET are followed.

        The name is looked up once for each, and the connection goes to an address that was checked.

        Raises:
            HostRefused: when the URL, or one that it leads to, is not allowed.
            HostFailed: when the host cannot be reached.
        """
        for _ in range(MOST_REDIRECTS + 1):
            with self._exchange(method, url, body, headers or {}) as reply:
                if method != "GET" or reply.status not in REDIRECTS or "location" not in reply.headers:
                    yield reply
                    return
                url = urljoin(url, reply.headers["location"])
        raise HostRefused(f"{url} leads from one address to the next.")

    @contextlib.contextmanager
    def _exchange(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Iterator[Any]:
        import urllib3

        allowed, parts = self.check(url), _split(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, "Accept-Encoding": "identity", "User-Agent": "audio-ml", **headers}
        try:
            with contextlib.ExitStack() as opened:
                for pool in _pools(allowed):
                    opened.callback(pool.close)
                    try:
                        reply = pool.urlopen(method, target, body, sent, redirect=False, preload_content=False)
                        break
                    except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
                        failure = error
                else:
                    raise failure
                opened.callback(reply.close)
                yield reply
        except urllib3.exceptions.HTTPError as error:
            raise HostFailed(f"{parts.netloc} did not answer as it should: {_last_line(error)}.") from error


def _pools(allowed: AllowedHost) -> Iterator[Any]:
    """Yields what connects to each address of a host in turn, under the host's name."""
    import urllib3

    settings: dict[str, Any] = {"timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)}
    if allowed.scheme == "https":
        settings |= {"server_hostname": allowed.name, "assert_hostname": allowed.name}
        settings["ssl_context"] = ssl.create_default_context()
    kind = urllib3.HTTPSConnectionPool if allowed.scheme == "https" else urllib3.HTTPConnectionPool
    for address in _look_up(allowed):
        yield kind(str(address), allowed.port, retries=False, **settings)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise HostRefused(f"{url!r} is no address.") from error
    if parts.scheme not in PORTS or not parts.hostname or not url.isascii() or not url.isprintable() or " " in url:
        raise HostRefused(f"{url!r} is no address that begins with https:// or http://.")
    if parts.username is not None or parts.password is not None or "\\" in url:
        raise HostRefused("An address may not carry a user's name or a password.")
    return parts


def _own_network(name: str | None) -> Network | None:
    """Returns the network of a host that is listed by its address: that address."""
    try:
        return ipaddress.ip_network(name or "")
    except ValueError:
        return None


def _look_up(allowed: AllowedHost) -> list[Address]:
    """Returns the addresses of a host; every one has to be allowed."""
    try:
        found = socket.getaddrinfo(allowed.name, allowed.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostFailed(f"{allowed.name} cannot be found: {getattr(error, 'strerror', error)}.") from error
    addresses = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
    for address in addresses:
        if not allowed.admits(address):
            raise HostRefused(
                f"{allowed.name} is at {address}, which is not a public address"
                + (f" of {allowed.network}." if allowed.network else "; list it as HOST=NETWORK if it should be.")
            )
    return addresses


def _last_line(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2].removesuffix(".") or type(error).__name__
