"""The packages of a base: what its own package database says, Debian's or Alpine's. Reads files, runs nothing.

Sources: deb822(5) and dpkg's status file, which distroless images have as a folder of files; Alpine's "Apk spec" for
`lib/apk/db/installed`; os-release(5).
"""

import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.attest.parts import Owner, Part
from builder.elf import Tree

MAX_DATABASE_BYTES = 64 << 20  # a desktop's status file is some 5 MB
MAX_FILES = 10_000  # of status.d and info, one for each package

# Which files a package brought: dpkg's lists, and the hashes that distroless images have beside their status.
_LISTS = ("/var/lib/dpkg/info/*.list", "/var/lib/dpkg/status.d/*.md5sums")


def base_parts(name: str, digest: str, root: Path) -> list[Part]:
    """The base itself and every package that its database names; `root` holds its files."""
    tree = Tree(root)
    distribution = _distribution(tree)
    plain = name.rpartition("/")[2].partition("@")[0].partition(":")[0] or "base"
    purl = f"pkg:oci/{plain.lower()}@{digest.replace(':', '%3A')}"
    parts = [Part("base", name, digest, purl, digest.rpartition(":")[2])]
    parts += [_debian(fields, distribution) for fields in _debian_packages(tree)]
    parts += [_alpine(fields, distribution) for fields in _paragraphs(_text(tree, "/lib/apk/db/installed"), ":")]
    return [part for part in parts if part.name]


def base_owners(sources: Iterable[str], root: Path) -> dict[str, Owner]:
    """File of the base, as a path on this machine → the Debian package that brought it, as dpkg's lists tell."""
    tree = Tree(root)
    wanted: dict[str, str] = {}
    for source in sources:
        if Path(source).is_relative_to(root):
            inside = f"/{Path(source).relative_to(root)}"
            names = {inside, tree.resolve(inside) or inside}
            wanted |= {other: source for name in names for other in (name, name.removeprefix("/usr"), f"/usr{name}")}
    if not wanted:
        return {}
    distribution = _distribution(tree)
    packages = {fields["Package"]: fields for fields in _debian_packages(tree) if "Package" in fields}
    owners: dict[str, Owner] = {}
    for pattern in _LISTS:
        for place in list(tree.glob(pattern))[:MAX_FILES]:
            name = posixpath.basename(place).rpartition(".")[0].partition(":")[0]
            if name in packages:
                version, architecture = (packages[name].get(key, "") for key in ("Version", "Architecture"))
                owner = Owner(name, version, architecture, distribution)
                owners |= {wanted[path]: owner for path in _listed(_text(tree, place)) if path in wanted}
    return owners


def _listed(text: str) -> Iterator[str]:
    """The paths in a list of dpkg's, of lines `/path`, or in its hashes, of lines `HASH  path`."""
    for line in text.splitlines():
        yield line if line.startswith("/") else "/" + line.partition("  ")[2]


def _distribution(tree: Tree) -> str:
    release = dict(_fields(_text(tree, "/etc/os-release") or _text(tree, "/usr/lib/os-release"), "="))
    return release.get("ID", "").strip('"').lower() or "linux"


def _debian_packages(tree: Tree) -> Iterator[dict[str, str]]:
    texts = [_text(tree, "/var/lib/dpkg/status")]
    texts += [_text(tree, path) for path in list(tree.glob("/var/lib/dpkg/status.d/*"))[:MAX_FILES]]
    for text in texts:
        for fields in _paragraphs(text, ":"):
            if fields.get("Status", "install ok installed").endswith(" installed"):
                yield fields


def _debian(fields: dict[str, str], distribution: str) -> Part:
    name, version, architecture = (fields.get(key, "") for key in ("Package", "Version", "Architecture"))
    purl = f"pkg:deb/{distribution}/{name}@{version}?arch={architecture}".replace("+", "%2B")
    return Part("base package", name, version, purl, "")


def _alpine(fields: dict[str, str], distribution: str) -> Part:
    name, version, architecture = (fields.get(key, "") for key in ("P", "V", "A"))
    purl = f"pkg:apk/{distribution}/{name}@{version}?arch={architecture}".replace("+", "%2B")
    return Part("base package", name, version, purl, "", fields.get("L", ""))


def _paragraphs(text: str, colon: str) -> Iterator[dict[str, str]]:
    """Paragraphs of `Name: value` lines; a line that continues another is left out."""
    for paragraph in text.split("\n\n"):
        fields = dict(_fields(paragraph, colon))
        if fields:
            yield fields


def _fields(text: str, sign: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, found, value = line.partition(sign)
        if found and name and not name[0].isspace():
            yield name, value.strip()


def _text(tree: Tree, path: str) -> str:
    file = tree.maybe_file(path)
    if file is None:
        return ""
    with file.open("rb") as opened:
        return opened.read(MAX_DATABASE_BYTES).decode("utf-8", "replace")
