"""Starts the runtime under a private package name, so that no file of the user's can collide with ours.

A handler may live in `bootstrap.py`, `logs.py` or `errors.py`. Python puts a script's own folder first on
`sys.path`, and `-m` registers the name `bootstrap`; both are undone here, and the rest of the package is
imported as `_lambda_runtime.*`, by relative imports only. Python caches no bytecode for scripts: images are started by
`__main__.pyc`, everybody else compiles this file at every start, so it stays tiny and never decides anything else.
"""

import posix
import sys

_PRIVATE_NAME = "_lambda_runtime"


def _run() -> int:
    script = __file__ if __file__.startswith("/") else f"{posix.getcwd()}/{__file__}"
    folder = script.rpartition("/")[0]
    # By inode, not by name: Python resolves symbolic links in the entry it adds, not in `__file__`.
    if sys.path and posix.access(sys.path[0], posix.F_OK):
        first, own = posix.stat(sys.path[0]), posix.stat(folder)
        if (first.st_dev, first.st_ino) == (own.st_dev, own.st_ino):
            del sys.path[0]
    sys.modules.pop("bootstrap", None)
    package = type(sys)(_PRIVATE_NAME)
    package.__path__ = [folder]
    sys.modules[_PRIVATE_NAME] = package
    __import__(f"{_PRIVATE_NAME}.start")
    status: int = sys.modules[f"{_PRIVATE_NAME}.start"].main(script)
    return status


if __name__ == "__main__":
    sys.exit(_run())
