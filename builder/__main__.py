"""`python -m builder` is `build-image`."""

from builder.cli import build_image

build_image()
