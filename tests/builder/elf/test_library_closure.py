"""builder.elf.library_closure against the dynamic loader itself, and on roots that are made for the test."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.elf import Elf, ElfError, Tree, closure, read_elf, search_path
from tests.conftest import elsewhere

GLIBC = Elf("pie", "x86_64", 64, interpreter="/lib64/ld-linux-x86-64.so.2")
MUSL = Elf("pie", "x86_64", 64, interpreter="/lib/ld-musl-x86_64.so.1")
NO_START = ["-nostdlib", "-Wl,-e,0", "-Wl,--no-as-needed", "-Wl,--unresolved-symbols=ignore-all"]


@pytest.fixture
def loader() -> str:
    """Give the dynamic loader that runs this Python: the witness. It only ever lists files made here."""
    found = read_elf(Path(sys.executable))
    if found is None or not found.interpreter or "ld-linux-x86-64" not in found.interpreter:
        elsewhere("needs glibc on x86-64 as the witness")
    return found.interpreter


def listed(loader: str, file: Path, **environment: str) -> dict[str, str | None]:
    """Ask the loader where it finds the libraries of `file`: soname → path, None for a missing one."""
    asked = environment | {"LD_TRACE_LOADED_OBJECTS": "1"}  # what ldd sets; `--list` says nothing once one is missing
    done = subprocess.run([loader, file], capture_output=True, text=True, timeout=60, env=asked, check=False)
    rows = re.findall(r"^\t(\S+) => (not found|\S+)", done.stdout, re.MULTILINE)
    return {soname: None if path == "not found" else os.path.normpath(path) for soname, path in rows}


def listed_by_musl(loader: str, file: Path) -> dict[str, str | None]:
    """Ask musl's loader the same; it names missing libraries in its complaints."""
    done = subprocess.run([loader, "--list", file], capture_output=True, text=True, timeout=60, env={}, check=False)
    rows = re.findall(r"^\t(\S+) => (\S+)", done.stdout, re.MULTILINE)
    lost = re.findall(r"Error loading shared library (\S+):", done.stdout + done.stderr)
    return {soname: os.path.normpath(path) for soname, path in rows} | dict.fromkeys(lost)


def found_by_us(file: Path, *, library_path: tuple[str, ...] = (), program: Elf | None = None) -> dict[str, str | None]:
    """Ask ourselves the same."""
    elf = program or read_elf(file)
    assert elf is not None
    result = closure([file], search=search_path(elf, library_path=library_path))
    rows: dict[str, str | None] = {
        one.soname: os.path.normpath(one.path) for one in result.libraries if one.how != "interpreter"
    }
    return rows | {one.soname: None for one in result.missing}


CASES = {
    # name: (flags of the program, {library: its flags}); {} is the case's folder
    "runpath": (["+{}/a", "liba.so"], {"a/liba.so": []}),
    "rpath": (["-{}/a", "liba.so"], {"a/liba.so": []}),
    "origin": (["+$ORIGIN/a", "liba.so"], {"a/liba.so": []}),
    "origin in braces": (["+${ORIGIN}/../case/a", "liba.so"], {"a/liba.so": []}),
    "no token": (["+$ORIGINAL/a", "liba.so"], {"a/liba.so": []}),
    "first folder wins": (["+{}/a:{}/b", "liba.so"], {"a/liba.so": [], "b/liba.so": []}),
    "rpath is inherited": (["-{}/a", "liba.so"], {"a/liba.so": ["libb.so"], "a/libb.so": []}),
    "runpath is not": (["+{}/a", "liba.so"], {"a/liba.so": ["libb.so"], "a/libb.so": []}),
    "a runpath shuts inherited rpaths out": (
        ["-{}/a", "liba.so"],
        {"a/liba.so": ["+{}/none", "libb.so"], "a/libb.so": []},
    ),
    "own rpath before the program's": (
        ["-{}/a", "liba.so"],
        {"a/liba.so": ["-{}/b", "libb.so"], "a/libb.so": [], "b/libb.so": []},
    ),
    "already in memory": (
        ["+{}/a", "liba.so", "libb.so"],
        {"a/liba.so": ["+{}/b", "libb.so"], "a/libb.so": [], "b/libb.so": []},
    ),
    "breadth first": (
        ["+{}/a", "liba.so", "libc1.so"],
        {
            "a/liba.so": ["+{}/b", "libb.so"],
            "a/libc1.so": ["+{}/c", "libb.so"],
            "b/libb.so": [],
            "c/libb.so": [],
        },
    ),
    "another word size is skipped": (["+{}/a:{}/b", "liba.so"], {"a/liba.so": ["32"], "b/liba.so": []}),
    "only another word size": (["+{}/a", "liba.so"], {"a/liba.so": ["32"]}),
    "missing": (["liba.so"], {}),
    "missing further down": (["+{}/a", "liba.so"], {"a/liba.so": ["libb.so"]}),
    "circle": (["-{}/a", "liba.so"], {"a/liba.so": ["libb.so"], "a/libb.so": ["liba.so"]}),
    "system library": (["libz.so.1", "libc.so.6"], {}),
    "system's own folder token": (["+/$LIB", "libc.so.6"], {}),
    "platform": (["+{}/$PLATFORM", "liba.so"], {"x86_64/liba.so": []}),
    "empty and relative folders": (["+:a:{}/a", "liba.so"], {"a/liba.so": []}),
    "no default folders": (["nodefault", "libz.so.1"], {}),
}


@pytest.fixture
def case(library, tmp_path):
    """Build a case: a program-like library and the files around it."""
    home = tmp_path / "case"

    def options(words: list[str]) -> dict[str, object]:
        filled = [word.replace("{}", os.fspath(home)) for word in words]
        return {
            "needs": [word for word in filled if word.startswith("lib")],
            "runpath": next((word[1:] for word in filled if word.startswith("+")), ""),
            "rpath": next((word[1:] for word in filled if word.startswith("-")), ""),
            "bits": 32 if "32" in words else 64,
        }

    def build(name: str) -> Path:
        words, libraries = CASES[name]
        for path, its in libraries.items():
            library(home / path, **options(its))
        extra = ["-Wl,-z,nodefaultlib"] if "nodefault" in words else []
        return library(home / "root.so", *extra, **options(words))

    return build


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_loader(name, case, loader):
    """For each rule of ld.so(8), the files found are the ones that glibc's own loader opens."""
    file = case(name)
    assert found_by_us(file) == listed(loader, file)
    assert len(found_by_us(file)) > 0


GLIBC_ONLY = {"another word size is skipped", "platform", "no default folders"}
SYSTEM_ONLY = {name for name, (words, _) in CASES.items() if {"libz.so.1", "libc.so.6"} & set(words)}


@pytest.mark.parametrize("name", sorted(CASES.keys() - GLIBC_ONLY - SYSTEM_ONLY))
def test_agrees_with_musls_loader(name, case):
    """For each rule that musl has too, the files found are the ones that musl's own loader opens."""
    assert MUSL.interpreter is not None
    if not Path(MUSL.interpreter).exists():
        pytest.skip("needs Debian's package musl as the witness; scripts/engines installs it")
    file = case(name)
    assert found_by_us(file, program=MUSL) == listed_by_musl(MUSL.interpreter, file)


def test_library_path_comes_between_rpath_and_runpath(case, library, loader, tmp_path):
    """A given LD_LIBRARY_PATH beats DT_RUNPATH and loses to DT_RPATH."""
    library(tmp_path / "given/liba.so")
    given = os.fspath(tmp_path / "given")
    for name in ("runpath", "rpath"):
        file = case(name)
        ours = found_by_us(file, library_path=(given,))
        assert ours == listed(loader, file, LD_LIBRARY_PATH=given)
        assert ours["liba.so"].startswith(given) == (name == "runpath")


def test_agrees_with_the_loader_on_this_python(loader):
    """The interpreter and its extension modules, alone and together, need what the loader says."""
    program = Path(sys.executable).resolve()
    modules = sorted(Path(os.__file__).parent.glob("lib-dynload/_[a-i]*.so"))
    for file in (program, *modules[:8]):
        assert found_by_us(file) == listed(loader, file)
    elf = read_elf(program)
    assert elf is not None
    together = closure(modules, search=search_path(elf), main=program)
    everything = {path for file in (program, *modules) for path in listed(loader, file).values() if path}
    assert {os.path.normpath(one.path) for one in together.libraries if one.how != "interpreter"} == everything
    assert [one.path for one in together.libraries if one.how == "interpreter"] == [loader]


@pytest.fixture
def image(library, tmp_path):
    """Make an unpacked image: absolute links, a configuration, and a program in it."""
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text("/opt/conf\n")
    library(root / "opt/conf/libconf.so.1.0", soname="libconf.so.1", needs=["libdeep.so"])
    (root / "opt/conf/libconf.so.1").symlink_to("/opt/conf/libconf.so.1.0")
    library(root / "usr/lib/libdeep.so", needs=["libgone.so"])
    (root / "lib").symlink_to("/usr/lib")
    library(root / "opt/app/module.so", needs=["libconf.so.1", "libown.so"], runpath="$ORIGIN/own")
    library(root / "opt/app/own/libown.so", needs=["libdeep.so"])
    return root


def test_an_unpacked_image_is_searched_inside(image):
    """Paths are the image's own; files are where they lie on this machine; each has its rule."""
    found = closure(["/opt/app/module.so"], search=search_path(GLIBC, tree=Tree(image)))
    rows = {one.soname: (one.path, one.file.relative_to(image).as_posix(), one.how) for one in found.libraries}
    assert rows == {
        "libconf.so.1": ("/opt/conf/libconf.so.1", "opt/conf/libconf.so.1.0", "conf"),
        "libown.so": ("/opt/app/own/libown.so", "opt/app/own/libown.so", "origin"),
        "libdeep.so": ("/lib/libdeep.so", "usr/lib/libdeep.so", "default"),
    }
    (deep,) = found.find("libdeep.so")
    assert deep.needed_by == ("/opt/app/own/libown.so", "/opt/conf/libconf.so.1")
    assert deep.chain == ("/opt/app/module.so", "/opt/conf/libconf.so.1", "/lib/libdeep.so")
    (gone,) = found.missing
    assert (gone.soname, gone.needed_by, gone.reason) == (
        "libgone.so",
        ("/lib/libdeep.so",),
        "in none of the loader's folders",
    )
    assert gone.chain == ("/opt/app/module.so", "/opt/conf/libconf.so.1", "/lib/libdeep.so")
    assert found.find("libgone.so") == ()


def test_hwcaps_folders_are_left_alone(image, library):
    """A faster copy for the build machine's CPU is not taken: the image may run on another CPU."""
    library(image / "opt/conf/glibc-hwcaps/x86-64-v2/libconf.so.1")
    (found,) = closure(["/opt/app/module.so"], search=search_path(GLIBC, tree=Tree(image))).find("libconf.so.1")
    assert found.path == "/opt/conf/libconf.so.1"


def test_two_roots_may_need_two_copies(library, tmp_path):
    """Two packages that each bring a library of one name keep both: import order decides."""
    for name in ("one", "two"):
        library(tmp_path / name / "libs/libsame.so")
        library(tmp_path / name / "module.so", needs=["libsame.so"], runpath="$ORIGIN/libs")
    roots = [f"/{name}/module.so" for name in ("one", "two")]
    found = closure(roots, search=search_path(GLIBC, tree=Tree(tmp_path)))
    assert [one.path for one in found.find("libsame.so")] == ["/one/libs/libsame.so", "/two/libs/libsame.so"]


def test_the_program_lends_its_libraries_and_its_rpath(library, cc, tmp_path):
    """What the interpreter has in memory is not searched again; its DT_RPATH counts for its modules."""
    root = tmp_path / "root"
    library(root / "app/lib/libshared.so")
    library(root / "app/lib/libextra.so")
    library(root / "lib64/ld-linux-x86-64.so.2")
    module = library(root / "app/module.so", needs=["libshared.so", "libextra.so"])
    stand_in = tmp_path / "stand-ins/64/libshared.so"
    flags = ["-pie", *NO_START, "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../lib", os.fspath(stand_in)]
    cc(root / "app/bin/python3", *flags)
    (root / "bin").mkdir()
    (root / "bin/python").symlink_to("/app/bin/python3")
    search = search_path(GLIBC, tree=Tree(root))
    found = closure(["/app/module.so"], search=search, main="/bin/python")
    assert module.exists()
    assert {one.soname: (one.path, one.how, one.needed_by) for one in found.libraries} == {
        "/lib64/ld-linux-x86-64.so.2": ("/lib64/ld-linux-x86-64.so.2", "interpreter", ("/bin/python",)),
        "libshared.so": ("/app/bin/../lib/libshared.so", "origin", ("/app/module.so", "/bin/python")),
        "libextra.so": ("/app/bin/../lib/libextra.so", "origin", ("/app/module.so",)),
    }
    assert found.missing == ()
    assert len(closure(["/app/module.so"], search=search).missing) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GROUP ( libc.so.6 )", "'/lib/libb.so' is no ELF file"),
        (b"\x7fELF\2\1\1", "'/lib/libb.so' is damaged: e_ident should be 16 bytes"),
        ("machine", "'/lib/libb.so' is for aarch64, 64 bits"),
        ("object", "'/lib/libb.so' is of the kind 'relocatable', which is not loaded"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_missing_with_its_reason(library, tmp_path, content, reason):
    """A wrong file in the right place is told from no file."""
    library(tmp_path / "lib/liba.so", needs=["libb.so"])
    if content in ("machine", "object"):
        data = library(tmp_path / "lib/libb.so").read_bytes()
        content = data[:18] + b"\xb7\0" + data[20:] if content == "machine" else data[:16] + b"\1\0" + data[18:]
    (tmp_path / "lib/libb.so").write_bytes(content)
    (lost,) = closure(["/lib/liba.so"], search=search_path(GLIBC, tree=Tree(tmp_path))).missing
    assert lost.soname == "libb.so"
    assert lost.reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file under"),
        (b"text", "it does not start with the ELF magic"),
        (b"\x7fELF", "e_ident should be 16 bytes"),
        ("machine", "it is for aarch64, 64 bits, and the libraries are searched for x86_64, 64 bits"),
    ],
)
def test_a_bad_root_is_an_error(library, tmp_path, content, message):
    """The caller named the roots: a wrong one is a mistake and not a finding."""
    if content == "machine":
        data = library(tmp_path / "root.so").read_bytes()
        content = data[:18] + b"\xb7\0" + data[20:]
    if content is not None:
        (tmp_path / "root.so").write_bytes(content)
    with pytest.raises(ElfError, match=message):
        closure(["/root.so"], search=search_path(GLIBC, tree=Tree(tmp_path)))


@pytest.fixture
def alpine(library, tmp_path):
    """Make a root with musl's loader."""
    root = tmp_path / "alpine"
    library(root / "lib/ld-musl-x86_64.so.1", soname="libc.so")
    return root


def test_musl_is_its_own_libc(alpine, library):
    """The names of the C library's parts mean the loader itself, wherever else such a file lies."""
    library(alpine / "usr/lib/libm.so.6")
    needs = ["libc.musl-x86_64.so.1", "libc.so", "libm.so.6", "libcrypto.so.3"]
    library(alpine / "app/module.so", needs=needs)
    library(alpine / "usr/lib/libcrypto.so.3", needs=["libc.musl-x86_64.so.1"])
    found = closure(["/app/module.so"], search=search_path(MUSL, tree=Tree(alpine)))
    assert [(one.path, one.how) for one in found.libraries] == [
        ("/lib/ld-musl-x86_64.so.1", "interpreter"),
        ("/usr/lib/libcrypto.so.3", "default"),
    ]
    assert found.missing == ()


def test_musl_inherits_runpath(alpine, library):
    """Musl treats DT_RUNPATH as DT_RPATH: it reaches the libraries of libraries."""
    library(alpine / "app/module.so", needs=["liba.so"], runpath="$ORIGIN/libs")
    library(alpine / "app/libs/liba.so", needs=["libb.so"])
    library(alpine / "app/libs/libb.so")
    found = closure(["/app/module.so"], search=search_path(MUSL, tree=Tree(alpine)))
    assert [(one.path, one.how) for one in found.libraries] == [
        ("/app/libs/liba.so", "origin"),
        ("/app/libs/libb.so", "origin"),
    ]


def test_musl_ignores_a_run_path_with_an_unknown_token(alpine, library):
    """One $LIB makes musl drop the whole run path."""
    library(alpine / "app/module.so", needs=["liba.so"], runpath="$ORIGIN:/$LIB")
    library(alpine / "app/liba.so")
    found = closure(["/app/module.so"], search=search_path(MUSL, tree=Tree(alpine)))
    assert [one.soname for one in found.missing] == ["liba.so"]


def test_a_name_with_a_slash_is_a_path(library, tmp_path):
    """DT_NEEDED with a slash is not searched for, and tokens in it count."""
    needs = "$ORIGIN/libs/liba.so"
    library(tmp_path / "libs/liba.so", soname=needs)
    stand_in = tmp_path / "libs/liba.so"
    root = library(tmp_path / "root.so", os.fspath(stand_in))
    elf = read_elf(root)
    assert elf is not None
    assert elf.needed == (needs,)
    (found,) = closure([root], search=search_path(GLIBC)).libraries
    assert (found.path, found.how) == (os.fspath(stand_in), "path")
