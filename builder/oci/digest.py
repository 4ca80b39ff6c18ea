"""The name of a blob: what its bytes hash to.

A digest is parsed once, at the edge; behind it every `Digest` is known to be well-formed, so it may become a
file name without another look. Only sha256 is accepted: it is the one algorithm every registry and engine
supports, and sha512 names would need a second folder everywhere. Reads no files: hashing streams is the work
of `blobs`.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from builder.oci.errors import UsageError

ALGORITHM: Final = "sha256"
_ENCODED_LENGTH: Final = 64  # hexadecimal digits of 256 bits
_HEX_DIGITS: Final = frozenset("0123456789abcdef")  # image-spec descriptor.md: lower case only


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest: `encoded` is its 64 lower-case hex digits, `str()` gives `sha256:<encoded>`."""

    encoded: str

    def __post_init__(self) -> None:
        if len(self.encoded) != _ENCODED_LENGTH or not _HEX_DIGITS.issuperset(self.encoded):
            raise UsageError(
                f"reading a digest: {self.encoded[:100]!r} is not {_ENCODED_LENGTH} lower-case "
                f"hexadecimal digits; give the whole sha256"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sha256:<64 hex digits>`, strictly; raises UsageError."""
        algorithm, colon, encoded = text.partition(":")
        if not colon or algorithm != ALGORITHM:
            raise UsageError(f"reading a digest: {text[:100]!r} does not start with 'sha256:'; give a sha256 digest")
        return cls(encoded)

    @classmethod
    def of(cls, data: bytes | bytearray) -> Self:
        """Hash bytes that are in memory already."""
        return cls(hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"{ALGORITHM}:{self.encoded}"
