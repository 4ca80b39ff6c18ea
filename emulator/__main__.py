"""The program `emulator`, as a module (`python -m emulator`) or as a file (`python …/emulator/__main__.py`).

In an image it runs as a file: the working directory belongs to the user, whose own `emulator.py` or `json.py` must
neither be found by us nor be hidden by us. So Python's entry for the script's or the working folder leaves our
`sys.path`, and the package is loaded from where this file lies. Neither touches what the runtime's process will see:
it inherits no path of ours.
"""

from __future__ import annotations

import sys


def _load_package() -> None:
    """Make the package `emulator` from the folder of this file, which is not on the path."""
    # Only a program run as a file needs these.
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415 - see above

    folder = __file__.rpartition("/")[0] or "."
    spec = spec_from_file_location("emulator", f"{folder}/__init__.py", submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        sys.exit(f"emulator: loading the package from {folder!r}: it is not there; copy the whole folder")
    package = module_from_spec(spec)
    sys.modules["emulator"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):  # Python 3.11's -P: the entry was never made
        del sys.path[0]
    if not __package__:
        _load_package()
    from emulator.cli import main

    sys.exit(main())
