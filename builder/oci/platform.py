"""The platform an image runs on, `linux/arm64/v8`, and which of an index's platforms is meant.

Names are Go's, as in https://github.com/opencontainers/image-spec/blob/v1.0.2/image-index.md. Pure; it never
looks at the machine it runs on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from builder.oci.errors import UsageError
from builder.oci.jsons import Fields

_PART: Final = re.compile(r"[a-z0-9][a-z0-9._]*", re.ASCII)
_PARTS: Final = (2, 3)

_NOWHERE: Final = "unknown"  # the platform under which BuildKit hangs attestations into an index

# What an architecture without a variant means, best first (containerd's platforms/defaults).
_USUAL_VARIANTS: Final = {"arm64": ("v8", ""), "arm": ("v7", "v6", "v5", ""), "amd64": ("", "v1")}


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform; `variant` is empty where it does not matter or nobody said."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `linux/amd64` or `linux/arm64/v8`; raises UsageError."""
        parts = text.split("/")
        if len(parts) not in _PARTS or not all(_PART.fullmatch(part) for part in parts):
            raise UsageError(f"reading a platform: {text[:100]!r} is none; use a name like 'linux/arm64'")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def runs(self, other: "Platform") -> bool:
        """Whether what is made for `other` is what is asked for here: a variant counts where both name one."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        return not self.variant or other.variant in {self.variant, ""}


def maybe_choose(wanted: Platform, offered: Sequence[Platform]) -> int | None:
    """Give the place of the best fit among the platforms on offer, None where none fits."""
    fitting = [place for place, platform in enumerate(offered) if wanted.runs(platform)]
    best = (wanted.variant, "") if wanted.variant else _USUAL_VARIANTS.get(wanted.architecture, ("",))
    ranks = {variant: rank for rank, variant in reversed(list(enumerate(best)))}
    return min(fitting, key=lambda place: ranks.get(offered[place].variant, len(best)), default=None)


def is_attestation(entry: Fields) -> bool:
    """Whether an index's entry is no image but says something of one, as BuildKit's do."""
    platform = entry.inner("platform")
    return _NOWHERE in {platform.maybe_text("os"), platform.maybe_text("architecture")}


def read_platform(entry: Fields) -> Platform | None:
    """Read the platform of an index's entry; None for an attestation or what says none."""
    platform = entry.inner("platform")
    name, architecture = platform.maybe_text("os"), platform.maybe_text("architecture")
    if not name or not architecture or is_attestation(entry):
        return None
    return Platform(name, architecture, platform.maybe_text("variant") or "")
