"""Who may import whom: ARCHITECTURE.md's rules, read from the source."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

TOP = Path(__file__).parents[2]
OURS = ("bootstrap", "emulator", "builder")

# Distributions whose import name is another.
IMPORT_NAMES = {"cyclonedx-python-lib": "cyclonedx", "packageurl-python": "packageurl"}

# Package → what it may import besides the standard library and itself.
ALLOWED = {
    "bootstrap": {"orjson"},
    "emulator": set(),
    "builder": {"emulator"},
}

# Inside the builder: these know nothing of the rest of it.
INDEPENDENT = {
    "builder/oci": {"deflate", "httpx", "orjson"},
    "builder/elf": set(),
}


def modules(folder: str) -> list[Path]:
    return sorted(file for file in (TOP / folder).rglob("*.py") if "_data" not in file.parts)


def imported(file: Path) -> set[str]:
    """The dotted names that a module imports anywhere in it, relative ones made absolute."""
    package = list(file.relative_to(TOP).with_suffix("").parts[:-1])
    names = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            names.add(".".join([*base, *([node.module] if node.module else [])]))
    return names


def declared() -> set[str]:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    names = {Requirement(text).name for text in project["dependencies"]}
    return {IMPORT_NAMES.get(name, name) for name in names}


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_what_the_architecture_allows(package):
    """The runtime and the emulator need the standard library only, the builder also what is declared."""
    allowed = ALLOWED[package] | {package} | set(sys.stdlib_module_names)
    if package == "builder":
        allowed |= declared()
    strangers = {
        f"{file.relative_to(TOP)}: {name}"
        for file in modules(package)
        for name in imported(file)
        if name.partition(".")[0] not in allowed
    }
    assert strangers == set()


def test_the_runtime_asks_for_orjson_in_one_place_and_does_without():
    """The one import that need not succeed is guarded, and stands alone."""
    (file,) = [file for file in modules("bootstrap") if "orjson" in imported(file)]
    assert file.name == "payload_large.py"
    guarded = [node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.Try)]
    assert any(isinstance(line, ast.Import) for node in guarded for line in node.body)


@pytest.mark.parametrize("folder", sorted(INDEPENDENT))
def test_libraries_inside_the_builder_know_nothing_of_the_rest(folder):
    """builder/oci and builder/elf could be taken out and used elsewhere."""
    own = folder.replace("/", ".")
    allowed = INDEPENDENT[folder] | set(sys.stdlib_module_names)
    strangers = {
        f"{file.relative_to(TOP)}: {name}"
        for file in modules(folder)
        for name in imported(file)
        if name != own and not name.startswith(own + ".") and name.partition(".")[0] not in allowed
    }
    assert strangers == set()


def test_every_declared_dependency_is_imported_by_the_builder():
    """Nothing is installed for users that no module uses."""
    used = {name.partition(".")[0] for file in modules("builder") for name in imported(file)}
    assert declared() - used == set()


def test_there_is_one_archive_writer():
    """Determinism has one home: nobody else writes tar or gzip."""
    writers = {
        str(file.relative_to(TOP))
        for package in OURS
        for file in modules(package)
        if imported(file) & {"tarfile", "gzip", "zipfile", "shutil.make_archive"}
    }
    assert writers <= {name for name in writers if name.startswith("builder/oci/")}


def test_images_is_data():
    """images/ holds no Python."""
    assert list((TOP / "images").rglob("*.py")) == []


def test_httpx_is_loaded_only_where_a_registry_is_named():
    """A build that talks to no registry does not pay for a client: images and layouts load without it."""
    code = "import sys, builder.oci, builder.registry; print(sorted({'httpx', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=TOP)
    assert done.stdout == "[]\n"
