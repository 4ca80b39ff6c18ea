"""Credentials of registries, where `docker login` and `podman login` leave them.

Sources: https://docs.docker.com/reference/cli/docker/login/ and containers-auth.json(5). Looked for in this order;
the first file that has any for a registry decides:

    $REGISTRY_AUTH_FILE, else $XDG_RUNTIME_DIR/containers/auth.json
    $XDG_CONFIG_HOME/containers/auth.json, else ~/.config/containers/auth.json
    $DOCKER_CONFIG/config.json, else ~/.docker/config.json

In a file a helper for the registry (`credHelpers`) comes before one for all (`credsStore`), and both before `auths`,
where `host/team/repository` comes before `host/team` and `host`. Nothing is ever written, and no secret is part of a
`repr` or a message.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from builder.oci.distribution.helpers import ask_helper
from builder.oci.errors import AccessError, ImageError
from builder.oci.files import open_regular
from builder.oci.jsons import MAX_JSON_BYTES, Fields

_HUB: Final = "docker.io"
_HUB_SERVER: Final = "https://index.docker.io/v1/"  # what Docker calls its registry in files and to helpers
_HUB_NAMES: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")
_TOKEN_USER: Final = "<token>"  # noqa: S105 - a helper's word for "the secret is an identity token"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A password, or an identity token to get others with, or a token as it is; `origin` says where they are from."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: str = ""

    def __bool__(self) -> bool:
        return bool(self.username or self.identity_token or self.registry_token)

    @property
    def basic(self) -> str:
        """The value of `Authorization` for the scheme Basic."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown."""
        known = (self.password, self.identity_token, self.registry_token, self.basic.partition(" ")[2])
        return tuple(
            form for secret in known if secret for form in {secret, quote(secret, safe=""), quote_plus(secret)}
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """Where to look, taken from the environment; nothing is read before it is asked for."""

    environment: Mapping[str, str] = field(hash=False, repr=False)
    helper_s: float

    def find(self, domain: str, path: str) -> Credentials | None:
        """Give the credentials for a repository; raises AccessError for a file or a helper that fails."""
        for file in auth_files(self.environment):
            if found := self._in_file(file, domain, path):
                return found
        return None

    def _in_file(self, file: Path, domain: str, path: str) -> Credentials | None:
        fields = _read(file, is_named=str(file) == self.environment.get("REGISTRY_AUTH_FILE"))
        if fields is None:
            return None
        try:
            helpers = {_plain(name): helper for name, helper in fields.text_map("credHelpers").items()}
            helper = next((helpers[name] for name in _names(domain) if name in helpers), None)
            for program in (helper, fields.maybe_text("credsStore")):
                if program and (found := self._from_helper(program, domain)):
                    return found
            return _in_auths(fields.inner("auths"), domain, path, f"the file {str(file)!r}")
        except ImageError as error:  # of Fields, which knows images; this is a file of the user's
            raise _unusable(file, "a value is not of the type it should be") from error

    def _from_helper(self, program: str, domain: str) -> Credentials | None:
        server = _HUB_SERVER if domain == _HUB else domain
        found = ask_helper(program, server, seconds=self.helper_s, environment=self.environment)
        if found is None:
            return None
        origin = f"the credential helper {program!r}"
        if found.username == _TOKEN_USER:
            return Credentials(identity_token=found.secret, origin=origin)
        return Credentials(found.username, found.secret, origin=origin)


def auth_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Give the files in which credentials may be, the one that decides first."""
    home = Path(environment.get("HOME", "/nonexistent"))
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    elif runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    config = environment.get("XDG_CONFIG_HOME")
    yield (Path(config) if config else home / ".config") / "containers" / "auth.json"
    docker = environment.get("DOCKER_CONFIG")
    yield (Path(docker) if docker else home / ".docker") / "config.json"


def _read(file: Path, *, is_named: bool) -> Fields | None:
    """Read a file of credentials; a missing one has none, unless the user named it."""
    try:
        with open_regular(file) as opened:
            data = opened.read(MAX_JSON_BYTES + 1) or b"{}"
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_named:
            return None
        raise _unusable(file, "it is not there, but REGISTRY_AUTH_FILE names it") from error
    except OSError as error:
        raise _unusable(file, str(error.strerror)) from error
    try:
        return Fields.parse(data, "credentials")
    except ImageError:
        # Without the cause, whose message shows how the file starts.
        raise _unusable(file, "it is no JSON object of a usual size") from None


def _unusable(file: Path, why: str) -> AccessError:
    return AccessError(f"reading credentials from {str(file)!r}: {why}; correct the file, or log in again")


def _in_auths(auths: Fields, domain: str, path: str, origin: str) -> Credentials | None:
    """Give the entry that fits best: the longest path, and Docker's names for its own registry."""
    known = {_plain(name): name for name in reversed(auths.names())}
    parts = path.split("/")
    paths = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    wanted = [f"{name}/{part}" for part in paths for name in _names(domain)] + list(_names(domain))
    for name in wanted:
        if name in known and (found := _entry(auths.inner(known[name]), origin)):
            return found
    return None


def _entry(entry: Fields, origin: str) -> Credentials | None:
    username, password = entry.maybe_text("username") or "", entry.maybe_text("password") or ""
    if auth := entry.maybe_text("auth"):
        try:
            text = base64.b64decode(auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        username, colon, password = text.partition(":")
        password = password.rstrip("\0")  # Docker pads with it
        if not colon:
            raise AccessError(
                f"reading credentials from {origin}: an 'auth' is not base64 of 'user:password'; log in again"
            )
    return (
        Credentials(
            username,
            password,
            identity_token=entry.maybe_text("identitytoken") or "",
            registry_token=entry.maybe_text("registrytoken") or "",
            origin=origin,
        )
        or None
    )


def _names(domain: str) -> tuple[str, ...]:
    return _HUB_NAMES if domain == _HUB else (domain,)


def _plain(key: str) -> str:
    """Give a key of a file as host and path: `https://index.docker.io/v1/` is `index.docker.io`."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return bare.removesuffix("/v1").removesuffix("/v2")
