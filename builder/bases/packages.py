"""Whether a base brings packages of its own: what is built on it may serve them, and only they would know.

A plug-in that a package of the base looks for by name is imported by nothing that is read here. Reads names of files.
"""

import posixpath
import re

from builder.elf import Tree

FOLDERS = (
    "{stdlib}/site-packages",
    "{stdlib}/dist-packages",
    "/usr/lib/python3/dist-packages",
    "/usr/local/lib/python3*/*-packages",
)

# What comes with a Python itself, and looks for nobody.
_OF_PYTHON = re.compile(
    r"(?:pip|setuptools|wheel|pkg_resources|_distutils_hack|distutils-precedence)(?:$|[.-].*)|__pycache__|README.*|.*\.virtualenv"
)


def own_packages(tree: Tree, stdlib: str) -> frozenset[str]:
    """The names of what is installed in the base, besides what comes with Python; `stdlib` is a path in the base."""
    found: set[str] = set()
    for folder in (one.format(stdlib=stdlib) for one in FOLDERS):
        found.update(posixpath.basename(path) for path in tree.glob(f"{folder}/*"))
        found.update(posixpath.basename(posixpath.dirname(path)) for path in tree.glob(f"{folder}/*/*"))
    return frozenset(name for name in found if not _OF_PYTHON.fullmatch(name))
