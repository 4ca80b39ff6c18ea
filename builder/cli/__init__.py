"""The command lines `build-image` and `firkin`: options are declared, steps called, results printed, in modules here.

The composition root of the builder. Heavy modules are imported inside commands: `--help` must be instant. What all
commands do alike, from signals to exit codes, is in `builder.program`.
"""

import sys
from pathlib import Path
from typing import NoReturn

from builder.program import main

__all__ = ["build_image", "firkin"]


def build_image() -> NoReturn:
    """The console command `build-image`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["init"] and not Path("init").is_dir():  # the one word that is no folder to build
        from builder.cli.project import init_command

        main(init_command, arguments[1:])
    from builder.cli.build import build_command

    main(build_command, arguments)


def firkin() -> NoReturn:
    """The console command `firkin`."""
    from builder.cli.group import firkin_command

    main(firkin_command, sys.argv[1:])
