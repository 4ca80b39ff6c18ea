"""`--base` as people type it → which kind of place the base is in, and where. Pure; opens nothing."""

import re
from dataclasses import dataclass

from builder.errors import BaseError

HOST = "host"
REGISTRY = "registry"
PLACES = ("oci", "tar", "docker")  # kinds that are written with their name and a colon

_NAME = re.compile(r"[a-z0-9\[][\w.:/@\[\]-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class BaseName:
    """What is built on: its `kind` and the `target` within that kind; `str()` is what was typed."""

    kind: str
    target: str = ""

    def __str__(self) -> str:
        return self.target if self.kind == REGISTRY else f"{self.kind}:{self.target}" if self.target else self.kind


def parse_base(text: str, *, origin: str = "") -> BaseName:
    """`host`, `oci:DIR`, `tar:FILE`, `docker:NAME` or an image's name in a registry. Raises BaseError."""
    if text == HOST:
        return BaseName(HOST)
    kind, colon, target = text.partition(":")
    if colon and kind in PLACES and target and "\0" not in target:
        return BaseName(kind, target)
    if kind not in PLACES and _NAME.fullmatch(text):
        return BaseName(REGISTRY, text)
    raise BaseError(
        f"reading {origin or '--base'}: {text!r} is none of host, oci:DIR, tar:FILE, docker:NAME, IMAGE[@sha256:…]",
        hint="`firkin bases` lists bases that are known to work.",
    )
