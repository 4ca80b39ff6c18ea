"""What an image is built on, when it is not this machine's Python: images from elsewhere, and the Python in them.

`observe_base`, in `builder.bases.observe`, is imported where it is called: it loads what most builds do not need.
"""

from builder.bases.choice import HOST, BaseName, parse_base
from builder.bases.compiler import Choice, choose_compiler, running
from builder.bases.known import KnownBase, known_bases

__all__ = [
    "HOST",
    "BaseName",
    "Choice",
    "KnownBase",
    "choose_compiler",
    "known_bases",
    "parse_base",
    "running",
]
