"""Which host is talked to, in which way, and which host may be told a secret. Pure.

Three rules, each against one way to lose credentials:

- Plain HTTP and unverified certificates are for the hosts that the user named, port and all, and for no other.
- A redirect never leads from HTTPS to HTTP, and credentials never follow it to another origin; nor do they
  come back when it returns.
- A token service ("realm") that a registry names gets that registry's credentials over HTTPS only, and only on the
  registry's own host, or beside or below it in the domain (`registry-1.docker.io` → `auth.docker.io`,
  `registry.gitlab.com` → `gitlab.com`). Any other gets the credentials that the user has stored for its own name, or
  none. So no answer of a registry decides alone where a password goes; the user's files do.
"""

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from builder.oci.errors import AccessError, ProtocolError, UsageError

_API_HOSTS: Final = {"docker.io": "registry-1.docker.io"}  # names that are no hosts of their registry's API
_PORTS: Final = {"https": 443, "http": 80}
_SHORTEST_DOMAIN: Final = 2  # labels; below are top-level domains
MAX_SHOWN: Final = 200


def api_origin(domain: str) -> str:
    """Give the origin of a registry's API, as HTTPS: `https://registry-1.docker.io` for `docker.io`."""
    return f"https://{_API_HOSTS.get(domain, domain)}"


def parse_insecure(names: Collection[str]) -> frozenset[str]:
    """Read the names of hosts with plain HTTP or unverified TLS, `HOST[:PORT]`; raises UsageError."""
    for name in names:
        parts = urlsplit(f"//{name}")
        try:
            fine = parts.netloc == name and bool(parts.hostname) and "@" not in name and parts.port != 0
        except ValueError:
            fine = False
        if not fine or any(sign in name for sign in "*/ \\"):
            raise UsageError(f"naming an insecure registry: {name!r} is no host; use 'HOST' or 'HOST:PORT'")
    return frozenset(names)


def is_insecure(url: str, insecure: Collection[str]) -> bool:
    """Whether the user has named this URL's host, with this port or with none."""
    parts = urlsplit(url)
    return parts.netloc in insecure or (parts.hostname or "") in insecure


def origin_of(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port; raises ProtocolError for what is no URL of HTTP, or one with a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc or not url.isprintable():
        raise ProtocolError(f"following the registry: {shown(url)!r} is no URL of HTTP without a password")
    return parts.scheme, host, port or _PORTS[parts.scheme]


def shown(url: str) -> str:
    """Give a URL as it may be shown: without its query, which may hold a signature, and without a password."""
    before, _, rest = url.partition("//")
    return f"{before}//{rest.rpartition('@')[2]}".partition("?")[0][:MAX_SHOWN] if rest else url[:MAX_SHOWN]


def redirected(url: str, location: str, *, insecure: Collection[str]) -> str:
    """Give the URL that a redirect leads to; raises ProtocolError where it leads nowhere good."""
    target = urljoin(url, location)
    scheme, host, _ = origin_of(target)
    if scheme == "http" and urlsplit(url).scheme == "https" and not is_insecure(target, insecure):
        raise ProtocolError(
            f"following a redirect of {shown(url)}: it leads to plain HTTP on {host!r}, where anybody can read along; "
            f"the registry has to offer HTTPS there"
        )
    return target


def upload_url(url: str, location: str) -> str:
    """Give the URL to upload to: always on the origin of `url`, whose registry was asked.

    A registry behind a proxy may name its own host as HTTP or without the proxy's port: only path and query count
    then. Raises ProtocolError where it names another host, which would get the image's content.
    """
    target = urljoin(url, location)
    here, there = origin_of(url), origin_of(target)
    confused = there[1] == here[1] and (there[2] == _PORTS[there[0]] or there[2] == here[2])
    if there != here and not confused:
        raise ProtocolError(
            f"uploading to {shown(url)}: it wants the content on another host, {there[1]}:{there[2]}; "
            f"nothing was sent there; see the registry's settings for its own address"
        )
    ours, path = urlsplit(url), urlsplit(target)
    return urlunsplit((ours.scheme, ours.netloc, path.path, path.query, ""))


def realm_gets_credentials(realm: str, registry: str) -> bool:
    """Say whether a token service gets the credentials of the registry at the URL `registry`.

    Raises AccessError for a service over plain HTTP, unless registry and service are the same host, and the registry
    is talked to in plain HTTP already, which only the user can have allowed.
    """
    scheme, host, _ = origin_of(realm)
    own_scheme, own_host, _ = origin_of(registry)
    if scheme == "http" and (own_scheme != "http" or host != own_host):
        raise AccessError(
            f"asking {shown(realm)} for a token of {shown(registry)}: it is plain HTTP, where anybody can read "
            f"along; nothing was sent there; the registry has to name a token service with HTTPS"
        )
    return host == own_host or _is_near(host, own_host)


def _is_near(host: str, registry: str) -> bool:
    """Whether a host stands beside, above or below a registry in its domain."""
    if _is_address(host) or _is_address(registry):
        return False
    above = registry.partition(".")[2]
    domain = above if above.count(".") + 1 >= _SHORTEST_DOMAIN else registry
    return host == domain or host.endswith(f".{domain}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
