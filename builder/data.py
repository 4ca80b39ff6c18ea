"""Where the data that travels with the builder lies: in the wheel, or at the top of the repository in a checkout.

Never copies or changes it.
"""

from pathlib import Path

from builder.errors import BuilderError

_TOP = Path(__file__).parent.parent


def data_file(name: str) -> Path:
    """The path of `Dockerfile.template` or of a file below `images/`."""
    packaged = Path(__file__).parent / "_data" / name
    for file in (packaged, _TOP / name):
        if file.exists():
            return file
    raise BuilderError(
        f"looking for firkin's own {name}: it is neither in {packaged.parent} nor in {_TOP}",
        hint="Install firkin again.",
    )


def runtime_folder(package: str) -> Path:
    """The folder of `bootstrap` or `emulator`, whose files are copied into images and never imported from here."""
    folder = _TOP / package
    if not (folder / "__main__.py").is_file():
        raise BuilderError(f"looking for firkin's own {package}: it is not in {folder}", hint="Install firkin again.")
    return folder
