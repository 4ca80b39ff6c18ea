"""The files that a function sees: all layers on top of each other, by what was read of each. Pure."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from builder.elf import Elf
from builder.lint.contents import Contents, Item
from builder.lint.finding import Finding

_MAX_LINKS = 40  # Linux gives up on a path with more (ELOOP)


@dataclass(slots=True)
class Tree:
    """`items` by path, the folders that have no entry of their own included; `layers` says which layer each is from."""

    items: dict[str, Item] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)
    elves: dict[str, Elf] = field(default_factory=dict)
    glibc: tuple[int, ...] | None = None

    def resolve(self, path: str) -> str | None:
        """The path without links, or None when a part of it is missing."""
        todo, done, links = path.split("/")[::-1], list[str](), 0
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                del done[-1:]
                continue
            item = self.items.get("/".join((*done, part)))
            if item is None:
                return None
            if item.kind != "symlink":
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if item.target.startswith("/"):
                done.clear()
            todo.extend(item.target.split("/")[::-1])
        return "/".join(done)

    def maybe_file(self, path: str) -> str | None:
        """The resolved path of the regular file that `path` leads to, or None."""
        found = self.resolve(path)
        item = self.items.get(found) if found else None
        return found if item and item.kind in {"file", "hardlink"} else None


def stack(layers: Sequence[Contents]) -> tuple[Tree, list[Finding]]:
    """The tree of all layers, lowest first, and the whiteouts that delete nothing."""
    tree = Tree()
    findings: list[Finding] = []
    for number, contents in enumerate(layers):
        gone = {path: _delete(tree, path) for path in contents.whiteouts}
        findings += [
            Finding("whiteout", "no layer below holds it", f"/{path}")
            for path, was_there in gone.items()
            if not was_there and not path.endswith("/")  # an opaque folder may be new
        ]
        for item in contents.items:
            _place(tree, item, number)
        tree.elves.update(contents.elves)
        tree.glibc = contents.glibc or tree.glibc
    tree.elves = {path: elf for path, elf in tree.elves.items() if path in tree.items}
    return tree, findings


def _delete(tree: Tree, path: str) -> bool:
    """Delete a path and all below it; only what is below, if it ends in a slash. Says whether anything was there."""
    folder = path.rstrip("/") + "/"
    gone = [one for one in tree.items if one.startswith(folder) or one == path]
    for one in gone:
        del tree.items[one]
        tree.elves.pop(one, None)
    return bool(gone)


def _place(tree: Tree, item: Item, number: int) -> None:
    old = tree.items.get(item.path)
    if old and old.kind == "directory" and item.kind != "directory":
        _delete(tree, item.path)
    if item.kind != "directory":
        tree.elves.pop(item.path, None)
    tree.items[item.path] = item
    tree.layers[item.path] = number
    folder = posixpath.dirname(item.path)
    while folder and folder not in tree.items:
        tree.items[folder] = Item(folder, "directory", 0o755, 0)
        tree.layers[folder] = number
        folder = posixpath.dirname(folder)


def search_program(tree: Tree, command: str, environment: Mapping[str, str], *, folder: str) -> str | None:
    """The executable file that a command leads to, as `execvp` would find it in the image; None when there is none."""
    if "/" in command:
        places = [posixpath.join(folder, command)]
    else:
        default = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # engines' own
        places = [f"{place}/{command}" for place in environment.get("PATH", default).split(":") if place]
    return next(_executables(tree, places), None)


def _executables(tree: Tree, places: Sequence[str]) -> Iterator[str]:
    for place in places:
        found = tree.maybe_file(place)
        if found and (tree.items[found].mode & 0o111 or tree.items[found].kind == "hardlink"):
            yield found
