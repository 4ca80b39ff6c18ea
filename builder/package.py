"""`zip:FILE`: an image's files as the deployment package of Lambda's runtime `provided.al2023`.

Lambda unpacks it at /var/task and starts `bootstrap`, which starts the shipped interpreter through the shipped program
loader: the operating system's own libraries, older or newer, are not touched. Everything that is not the function's
lies in one folder that no module can be called after:

    bootstrap            what Lambda starts; a shell script, as the system brings a shell
    .firkin/bin          the interpreter, and scripts of its usual names for what starts sys.executable
    .firkin/lib          the standard library          .firkin/libs       shared libraries and the loader
    .firkin/python       dependencies                  .firkin/runtime    the runtime
    .firkin/zoneinfo     time zones                    .firkin/certificates.pem

Made of the assembled image, whose bytes are in the cache. Never proven here: `prove/package` does.
"""

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.cache import Cache, key_of
from builder.elf import Tree, read_elf
from builder.errors import OutputError
from builder.left_out import NAMES
from builder.left_out import PATH as LEFT_OUT
from builder.oci import Entry, Image, write_zip
from builder.plan import LANG, PACKAGES, RUNTIME, TASK, Plan
from builder.prove.unpacked import unpacked

HOME = f"/{TASK}/.firkin"
BOOTSTRAP = "bootstrap"

# Quotas of Lambda: "Deployment package (.zip file archive) size"; in the API CodeSizeZipped and CodeSizeUnzipped.
MAX_ZIPPED_BYTES = 50 * 1024**2  # of a direct upload; what comes from S3 has the second limit only
MAX_UNZIPPED_BYTES = 250 * 1024**2

FORMAT = 2  # raised when the same image gives another package

_ARGV0_SINCE = (2, 33)  # glibc whose loader takes --argv0, says its NEWS

# Where the parts of an image go, the first that fits; what fits none is for an image only.
_PLACES: tuple[tuple[str, str], ...] = (
    (f"{TASK}/", ""),
    (f"{LANG}/", ".firkin/"),
    (f"{PACKAGES}/", ".firkin/python/"),
    (f"{RUNTIME}/bootstrap/", ".firkin/runtime/bootstrap/"),
    (f"{RUNTIME}/trimmed.txt", ".firkin/runtime/trimmed.txt"),
    ("usr/share/zoneinfo/", ".firkin/zoneinfo/"),
    ("etc/ssl/certs/ca-certificates.crt", ".firkin/certificates.pem"),
)
_LIBRARY = re.compile(r"^(?:usr/)?lib[^/]*/(?:.*/)?([^/]+\.so(?:\.[^/]*)?)$")
_PYTHON_LINE = re.compile(rb"#!/var/lang/bin/python[^\n]*\n")


def place_in_package(path: str) -> str | None:
    """Where a file of the image lies in the package; None for what is for an image only."""
    for prefix, place in _PLACES:
        if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
            return place + path[len(prefix) :] if prefix.endswith("/") else place
    found = _LIBRARY.match(path)
    return f".firkin/libs/{found[1]}" if found else None


def make_package(image: Image, plan: Plan, glibc: str, cache: Cache) -> Path:
    """The package of an image, made once and kept in the cache. Raises OutputError: not possible, or over a limit.

    `glibc` is the version of the shipped libc, "" for musl.
    """
    if plan.foundation and plan.foundation.kept:
        raise OutputError(
            "writing zip: the base's layers are kept, and a package for Lambda's own system cannot hold another",
            hint="Add --flatten, which takes only the base's Python and what that needs.",
        )
    key = key_of("package", FORMAT, str(image.digest))
    held = cache.tree("packages", key, lambda folder: _fill(image, plan, glibc, cache, folder))
    return held / "package.zip"


def _fill(image: Image, plan: Plan, glibc: str, cache: Cache, folder: Path) -> None:
    entries = {entry.path: entry for entry in _entries(unpacked(image, cache))}
    if BOOTSTRAP in entries or any(path.startswith(f"{BOOTSTRAP}/") for path in entries):
        raise OutputError(
            f"writing zip: the function has a {BOOTSTRAP!r} of its own, which is what Lambda starts",
            hint="Rename it, or deploy an image, where it is in nobody's way.",
        )
    entries |= {entry.path: entry for entry in _starters(entries, plan, glibc)}
    size = write_zip(entries.values(), folder / "package.zip")
    zipped = (folder / "package.zip").stat().st_size
    _check_size("unzipped", size, MAX_UNZIPPED_BYTES)
    _check_size("zipped", zipped, MAX_ZIPPED_BYTES)


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise OutputError(
            f"writing zip: it has {size / 1024**2:.1f} MB {what}, and Lambda takes {limit // 1024**2} MB",
            hint="Leave out more with --trim and --drop, or deploy an image, which may have 10 GB.",
        )


def _entries(layers: list[Path]) -> Iterator[Entry]:
    """The image's files at their places in the package; links become what they lead to."""
    for layer in layers:
        tree = Tree(layer)
        for above, _, names in os.walk(layer):
            for name in sorted(names):
                path = Path(above, name).relative_to(layer).as_posix()
                place, file = place_in_package(path), tree.maybe_file(f"/{path}")
                if place is None or file is None or _is_for_images(path):
                    continue
                mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
                yield Entry.file(place, _content(path, file), mode)


def _is_for_images(path: str) -> bool:
    """What only an image needs: the interpreter's usual names, which become scripts, and path files for `site`."""
    in_bin = posixpath.dirname(path) == f"{LANG}/bin" and posixpath.basename(path) in {"python", "python3"}
    return in_bin or path.endswith("-packages/opt.pth")


def _content(path: str, file: Path) -> bytes | Path:
    """A file, or a console script that names the interpreter where it will be, or a list of files by their places."""
    if path == LEFT_OUT:
        return placed_list(file.read_text("utf-8")).encode()
    if not path.startswith(f"{PACKAGES}/bin/"):
        return file
    body = file.read_bytes()
    line = _PYTHON_LINE.match(body)
    return f"#!{HOME}/bin/python3\n".encode() + body[line.end() :] if line else body


def placed_list(text: str) -> str:
    """What was left out, by the places in the package; without what is for images only."""
    lines = (line if line.startswith(("=", NAMES)) else place_in_package(line) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def _starters(entries: Mapping[str, Entry], plan: Plan, glibc: str) -> Iterator[Entry]:
    """`bootstrap`, and the interpreter under a name of its own with scripts in its place."""
    program = entries[f".firkin/bin/{plan.python}"]
    loader = posixpath.basename(_loader(program))
    numbers = tuple(int(number) for number in glibc.split(".")) if glibc else _ARGV0_SINCE
    command = f"{HOME}/libs/{loader} --library-path {HOME}/libs"
    if numbers >= _ARGV0_SINCE:
        command += f" --argv0 {HOME}/bin/{plan.python}"
    command += f" {HOME}/bin/{plan.python}.bin"
    yield Entry.file(f".firkin/bin/{plan.python}.bin", program.source, 0o755)
    for name in (plan.python, "python3", "python"):
        yield Entry.file(f".firkin/bin/{name}", f'#!/bin/sh\nexec {command} "$@"\n'.encode(), 0o755)
    yield Entry.file(BOOTSTRAP, _bootstrap(command, plan).encode(), 0o755)


def _loader(program: Entry) -> str:
    elf = read_elf(program.source) if isinstance(program.source, Path) else None
    if elf is None or elf.interpreter is None:
        raise OutputError("writing zip: the interpreter has no program loader", hint="Name another with --python.")
    return elf.interpreter


def _bootstrap(command: str, plan: Plan) -> str:
    variables = {
        "PYTHONPATH": f"{HOME}/python${{PYTHONPATH:+:$PYTHONPATH}}",
        "PYTHONTZPATH": f"${{PYTHONTZPATH:-{HOME}/zoneinfo}}",
        "SSL_CERT_FILE": f"${{SSL_CERT_FILE:-{HOME}/certificates.pem}}",
    }
    exports = "".join(f'export {name}="{value}"\n' for name, value in variables.items())
    return (
        "#!/bin/sh\n"
        "# Starts the interpreter of this package through its own program loader; the system's libraries stay out.\n"
        f"{exports}"
        f'exec {command} -S {HOME}/runtime/{plan.script.removeprefix(f"{RUNTIME}/")} "${{_HANDLER:-{plan.handler}}}"\n'
    )
