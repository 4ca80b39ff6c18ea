"""Images on this machine as people name them, `oci:DIR` and `tar:FILE`, and how a path without its kind is named.

Looks at what is in a place; reads no image.
"""

from pathlib import Path

from builder.errors import SourceError

ENGINE = "docker:"  # before the name of an image that a Docker Engine holds


def is_local(text: str) -> bool:
    """Whether a name is of an image in a folder or a file."""
    return text.startswith(("oci:", "tar:"))


def split_local(text: str) -> tuple[str, Path]:
    """`oci:DIR` or `tar:FILE` as kind and place. Raises SourceError for another form."""
    kind, _, target = text.partition(":")
    if not is_local(text) or not target:
        hint = hint_without_kind(text) or "For example oci:dist/hello."
        raise SourceError(f"reading the image: {text!r} is neither oci:DIR nor tar:FILE", hint=hint)
    return kind, Path(target)


def hint_without_kind(text: str) -> str:
    """How the image at a path is named; "" where none can be."""
    place = Path(text)
    if place.is_file():
        return f"For an image say tar:{text}."
    if (place / "oci-layout").is_file():
        return f"For an image say oci:{text}."
    return ""
