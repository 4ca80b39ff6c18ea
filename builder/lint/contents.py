"""What one layer holds, read in one pass: names, modes, ELF facts, secrets, and what is wrong with the tar itself.

Reads what `unpack` would refuse as well, because that is what is looked for. A layer's contents depend on its bytes
alone, so that they can be remembered by its diff_id. Nothing is written to disk but large ELF files, which are read at
random, into an anonymous file.
"""

import os
import posixpath
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from typing import IO

from builder.elf import ElfError
from builder.elf.layout import View
from builder.elf.read import Elf, parse_elf
from builder.lint.finding import Finding
from builder.lint.secrets import is_scanned, secrets_in
from builder.oci import HeldTar, ImageError, Layer, Limits, UnsupportedError
from builder.oci.entry import WHITEOUT_PREFIX
from builder.oci.layer_reader import Budget, LayerReader
from builder.oci.streams import Source
from builder.oci.tar_reader import Member, TarReader

OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."  # bookkeeping of a file system of the past, which tools skip
_ELF_MAGIC = b"\x7fELF"
_HELD_BYTES = 8 << 20  # a larger ELF file is read from disk, so that memory stays flat
_MAX_SCANNED_BYTES = 1 << 20  # keys and settings are small; larger files are data
_GLIBC_BANNER = re.compile(rb"GNU C Library [^\n]{0,80} release version (\d+)\.(\d+)")
_SHOWN_PROBLEMS = 20  # per rule and layer


@dataclass(frozen=True, slots=True)
class Item:
    """One entry that stays in the tree: its normalised path (relative), kind, permission bits, bytes, link target."""

    path: str
    kind: str
    mode: int
    size: int
    target: str = ""


@dataclass(slots=True)
class Contents:
    """A layer as read. `elves` maps paths to what a loader sees; `glibc` is the C library's own version, or None."""

    items: list[Item] = field(default_factory=list)
    whiteouts: list[str] = field(default_factory=list)  # paths deleted; ending in "/" for an opaque folder
    elves: dict[str, Elf] = field(default_factory=dict)
    glibc: tuple[int, ...] | None = None
    size: int = 0
    problems: list[Finding] = field(default_factory=list)


def read_contents(blob: Source, layer: Layer, limits: Limits) -> Contents:
    """Read a layer to its end. What is wrong with it becomes a finding; only the machine's own errors are raised."""
    contents = Contents()
    budget = Budget(limits)
    source = LayerReader(blob, layer, budget)
    try:
        _read_members(source, f"layer {layer.descriptor.digest}", contents, budget)
        source.finish()
    except UnsupportedError as error:
        contents.problems.append(Finding("unsupported-entry", str(error)))
    except ImageError as error:
        contents.problems.append(Finding("damaged-layer", str(error)))
    contents.size = budget.bytes
    return contents


def read_held(tar: HeldTar) -> Contents:
    """Read a layer of our own that is in memory: nothing is wrong with its tar."""
    contents = Contents(size=len(tar.data))
    _read_members(tar.open(), f"layer {tar.diff_id}", contents, Budget(Limits()))
    return contents


def _read_members(source: Source, where: str, contents: Contents, budget: Budget) -> None:
    reading = Reading(contents)
    tar = TarReader(source, where)
    for member in tar:
        budget.spend_entry()
        for _ in reading.take(member, tar.content()):
            pass


class Reading:
    """What was seen of a layer so far: the rules about order need it."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._folders: set[str] = set()
        self._missing: set[str] = set()
        self._seen: set[str] = set()
        self._counts: dict[str, int] = {}

    def take(self, member: Member, content: Iterator[bytes]) -> Iterator[bytes]:
        """Look at the next member. Its content is passed on, so that whoever unpacks it needs not read it again."""
        name = os.fsdecode(member.name)
        path = posixpath.normpath(name.strip("/") or ".")
        if name.startswith("/") or ".." in name.split("/") or "\0" in name:
            self._problem("unsafe-name", f"the name {name[:200]!r} leads outside the image", "")
            return content
        if path == ".":
            return content
        self._check_parents(path)
        if path in self._seen and member.kind != "directory":
            self._problem("duplicate-entry", "it is there twice in one layer", path)
        self._seen.add(path)
        if posixpath.basename(path).startswith(WHITEOUT_PREFIX):
            self._whiteout(path, member)
            return content
        self._add(path, member)
        return self._look_inside(path, member, content) if member.kind == "file" else content

    def _check_parents(self, path: str) -> None:
        folder = posixpath.dirname(path)
        while folder and folder not in self._folders and folder not in self._missing:
            self._missing.add(folder)
            self._problem("missing-parent", f"{path!r} comes before an entry for this folder", folder)
            folder = posixpath.dirname(folder)

    def _add(self, path: str, member: Member) -> None:
        target = os.fsdecode(member.target)
        if member.kind == "directory":
            self._folders.add(path)
        elif member.kind == "special":
            self._problem("device-file", "it is a device, a fifo or a socket", path)
        elif member.kind == "hardlink":
            target = posixpath.normpath(target.strip("/") or ".")
            if target not in self._seen or target == path:
                self._problem("hard-link", f"its target {target!r} has not come yet in this layer", path)
        self._contents.items.append(Item(path, member.kind, member.mode, member.size, target))

    def _whiteout(self, path: str, member: Member) -> None:
        folder, name = posixpath.split(path)
        if name == OPAQUE:
            self._contents.whiteouts.append(f"{folder}/")
        elif name.startswith(_AUFS):
            return
        elif member.kind != "file" or name.removeprefix(WHITEOUT_PREFIX) in {"", ".", ".."}:
            self._problem("whiteout", "it is no regular file or names nothing to delete", path)
        else:
            self._contents.whiteouts.append(posixpath.join(folder, name.removeprefix(WHITEOUT_PREFIX)))

    def _look_inside(self, path: str, member: Member, parts: Iterator[bytes]) -> Iterator[bytes]:
        first = next(parts, b"")
        while first and len(first) < len(_ELF_MAGIC) and (more := next(parts, b"")):
            first += more  # who decompresses cuts anywhere
        if first.startswith(_ELF_MAGIC):
            yield from self._read_elf(path, member, first, parts)
        elif member.size <= _MAX_SCANNED_BYTES and is_scanned(path):
            data = first + b"".join(parts)
            yield data
            for what in secrets_in(path, data):
                self._problem("secret-in-file", what, path)
        else:
            yield first
            yield from parts

    def _read_elf(self, path: str, member: Member, first: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
        is_libc = posixpath.basename(path).startswith(("libc.so", "libc-"))
        banner = None
        with BytesIO() if member.size <= _HELD_BYTES else tempfile.TemporaryFile() as file:
            for part in chain((first,), parts):
                if is_libc and not banner:
                    banner = _GLIBC_BANNER.search(part)
                file.write(part)
                yield part
            try:
                elf = parse_elf(View(path, member.size, lambda offset, size: _read_at(file, offset, size)))
            except ElfError:
                return  # a damaged one, in somebody's test data: nothing loads it
        if elf:
            self._contents.elves[path] = elf
        if banner:
            self._contents.glibc = (int(banner[1]), int(banner[2]))

    def _problem(self, rule: str, message: str, path: str) -> None:
        count = self._counts[rule] = self._counts.get(rule, 0) + 1
        if count <= _SHOWN_PROBLEMS:
            self._contents.problems.append(Finding(rule, message, path and f"/{path}"))
        elif count == _SHOWN_PROBLEMS + 1:
            self._contents.problems.append(Finding(rule, f"and more like the {_SHOWN_PROBLEMS} shown"))


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
