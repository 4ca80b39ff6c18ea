"""The name of an image: `[domain/]path[:tag]`, and where it is to be found `[@digest]` too; parsed once.

Grammar: https://github.com/distribution/reference/blob/v0.6.0/reference.go. Docker shortens names of its own
registry ("familiar" names) and containerd wants them whole; both forms come from here. Digest references
(`name@sha256:…`) name images that exist and are no names to give: `Reference.parse` refuses them.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from builder.oci.digest import Digest
from builder.oci.errors import UsageError

DEFAULT_TAG: Final = "latest"
_DEFAULT_DOMAIN: Final = "docker.io"
_OLD_DEFAULT_DOMAIN: Final = "index.docker.io"
_OFFICIAL: Final = "library/"  # Docker's own images on its registry
_MAX_NAME_LENGTH: Final = 255  # distribution: domain and path together
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?", re.ASCII)
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image; `str()` is its whole form, `docker.io/library/demo:latest`.

    With a `digest` that alone says which image is meant, whatever the tag.
    """

    domain: str
    path: str
    tag: str = DEFAULT_TAG
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `demo`, `demo:1`, `host:5000/team/demo:1`; raises UsageError."""
        name, colon, tag = text.rpartition(":")
        if not colon or "/" in tag:
            name, tag = text, DEFAULT_TAG
        domain, slash, path = name.partition("/")
        if not slash or not _looks_like_domain(domain):
            domain, path = _DEFAULT_DOMAIN, name
        if domain == _OLD_DEFAULT_DOMAIN:
            domain = _DEFAULT_DOMAIN
        if domain == _DEFAULT_DOMAIN and "/" not in path:
            path = _OFFICIAL + path
        well_formed = _DOMAIN.fullmatch(domain) and _PATH.fullmatch(path) and _TAG.fullmatch(tag)
        if not well_formed or len(f"{domain}/{path}") > _MAX_NAME_LENGTH:
            raise UsageError(
                f"naming an image: {text[:300]!r} is no image name; use lower-case words like 'team/demo:1.0'"
            )
        return cls(domain, path, tag)

    @classmethod
    def parse_source(cls, text: str) -> Self:
        """Read the name of an image that is there: as `parse`, and `demo@sha256:…`; raises UsageError."""
        name, at, digest = text.partition("@")
        found = cls.parse(name)
        return replace(found, digest=Digest.parse(digest)) if at else found

    def at(self, digest: Digest) -> "Reference":
        """Give this name with the digest of what it names now."""
        return replace(self, digest=digest)

    @property
    def familiar(self) -> str:
        """The form people type and `docker images` shows."""
        path = self.path if self.domain != _DEFAULT_DOMAIN else self.path.removeprefix(_OFFICIAL)
        prefix = "" if self.domain == _DEFAULT_DOMAIN else f"{self.domain}/"
        return f"{prefix}{path}:{self.tag}"

    def __str__(self) -> str:
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.domain}/{self.path}:{self.tag}{digest}"


def names_registry(text: str) -> bool:
    """Whether an image name says by itself which registry it is of, as `ghcr.io/team/demo` does."""
    domain, slash, _ = text.partition("/")
    return bool(slash) and _looks_like_domain(domain)


def _looks_like_domain(text: str) -> bool:
    """Docker's rule for the first part of a name."""
    return "." in text or ":" in text or text == "localhost" or text.lower() != text
