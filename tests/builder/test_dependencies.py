"""Dependencies, with the real uv and the real index: found, installed, refused, and the same wherever installed.

Longer than other modules, because every way to fail is tried with the real tool through the same two fixtures.
"""

import base64
import csv
import hashlib
import os
import re
import ssl
import stat
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from builder import dependencies
from builder.cache import Cache
from builder.config import read_pyproject
from builder.dependencies import _UV_GLIBC_MINORS, DECLARATIONS, Declaration, find_declaration, install, target_options
from builder.errors import BaseError, DependencyError
from builder.interpreter import Interpreter, observe_interpreter, uv_program
from tests.conftest import elsewhere

network = pytest.mark.network

IDNA = "idna==3.10"
IDNA_HASH = "sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3"  # of its wheel on the index
WRONG_HASH = "sha256:" + "0" * 64
PROJECT = '[project]\nname = "fn"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = [{}]\n'

Install = Callable[..., Path]


def project(*dependencies: str) -> str:
    return PROJECT.format(", ".join(repr(dependency) for dependency in dependencies))


def declared(folder: Path) -> Declaration | None:
    return find_declaration(folder, read_pyproject(folder))


def uv(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [uv_program(), *arguments], cwd=folder, capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert done.returncode == 0, done.stderr


def clean_environment(**also: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | also


@pytest.fixture
def installed(cache: Cache, this_python: Interpreter) -> Install:
    """Install what a folder declares; gives the installed folder. Further keywords are environment variables."""

    def run(
        folder: Path,
        *,
        offline: bool = False,
        python: Interpreter = this_python,
        cache: Cache = cache,
        **environment: str,
    ) -> Path:
        declaration = declared(folder)
        assert declaration is not None
        return install(declaration, python, cache, offline=offline, environment=clean_environment(**environment))[0]

    return run


@pytest.fixture
def refused(installed: Install) -> Callable[..., DependencyError]:
    """Try to install and give the error, which always has a hint."""

    def run(folder: Path, **options: object) -> DependencyError:
        with pytest.raises(DependencyError) as caught:
            installed(folder, **options)
        assert caught.value.hint
        return caught.value

    return run


def names(folder: Path) -> set[str]:
    return {note.name.partition("-")[0].lower() for note in folder.glob("*.dist-info")}


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(file.relative_to(folder)): (file.stat().st_mode & 0o777, file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file()
    }


# Which file declares the dependencies


def test_the_most_exact_declaration_counts(write):
    """uv.lock, pylock.toml, requirements.txt, pyproject.toml: the first that is there, in that order."""
    folder = write({"uv.lock": "", "pylock.toml": "", "requirements.txt": "idna", "pyproject.toml": project("idna")})
    for name in DECLARATIONS:
        found = declared(folder)
        assert found is not None
        assert found.file == folder / name
        (folder / name).unlink()
    assert declared(folder) is None


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"requirements.txt": ""},
        {"requirements.txt": "# nothing\n\n"},
        {"requirements.txt": "-r more.txt", "more.txt": "# nothing"},
        {"pyproject.toml": '[project]\nname = "x"\n'},
        {"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.11'"},
        {"pyproject.toml": "[tool.build-image]\nhandler = 'a.b'"},
    ],
)
def test_a_function_may_have_no_dependencies(write, files: dict[str, str]):
    """An absent or empty declaration is none."""
    found = declared(write(files))
    assert found is None or found.inputs


@pytest.mark.parametrize(
    ("pyproject", "message", "hint"),
    [
        ('[project]\nname = "x"\ndynamic = ["dependencies"]', "the dependencies are dynamic", "uv lock"),
        ("[tool.poetry.dependencies]\nidna = '*'", "stand under [tool.poetry]", "poetry export"),
        (project("lib @ file:///lib"), "'lib @ file:///lib' is a folder of this machine", "uv build --wheel"),
    ],
)
def test_declarations_that_cannot_be_installed_are_refused(write, pyproject: str, message: str, hint: str):
    """Dependencies that are there and would be overlooked are an error, never silence."""
    with pytest.raises(DependencyError) as caught:
        declared(write({"pyproject.toml": pyproject}))
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_an_editable_requirement_is_refused_before_anything_runs(write):
    """A link into a folder of this machine cannot be in an image."""
    with pytest.raises(DependencyError, match=r"'-e \./lib' is a folder of this machine"):
        declared(write({"requirements.txt": "idna\n-e ./lib"}))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"requirements.txt": "idna"}, {"requirements.txt": "idna"}, True),
        ({"requirements.txt": "idna"}, {"requirements.txt": "idna>3"}, False),
        ({"more.txt": "idna"}, {"more.txt": "idna>3"}, False),
        ({"pyproject.toml": "[tool.build-image]"}, {"pyproject.toml": "[tool.build-image]\ntag = 'x'"}, True),
        ({"pyproject.toml": ""}, {"pyproject.toml": "[tool.uv]\nno-index = true"}, False),
        ({"uv.toml": ""}, {"uv.toml": "no-index = true"}, False),
        ({"w.whl": "a"}, {"w.whl": "bb"}, False),
    ],
)
def test_what_changes_the_installation_changes_the_inputs(write, first: dict, second: dict, *, same: bool):
    """The inputs hold every text that steers uv, and nothing else: another handler installs nothing anew."""
    always = {"requirements.txt": "-r more.txt\n./w.whl", "more.txt": "idna", "w.whl": ""}
    write(always)
    before, after = declared(write(first)), declared(write(second))
    assert before
    assert after
    assert (before.inputs == after.inputs) is same


def test_hashes_make_a_declaration_exact(write):
    """Locks are exact, requirements are where they give hashes, pyproject.toml never is."""
    assert declared(write({"uv.lock": ""}, "a")).locked
    assert declared(write({"pylock.toml": ""}, "b")).locked
    assert not declared(write({"requirements.txt": "idna"}, "c")).locked
    assert declared(write({"requirements.txt": "idna==3.10 --hash=sha256:0"}, "d")).locked
    assert not declared(write({"pyproject.toml": project("idna")}, "e")).locked
    assert not declared(write({"requirements.txt": "-r https://h/r.txt"}, "f")).cacheable


# Installing


@network
def test_the_four_declarations_install_the_same(write, installed: Install):
    """The same dependency, locked by uv in each form, gives the same folder; the project is not changed."""
    folder = write({"pyproject.toml": project(IDNA)}, "source")
    uv(folder, "lock", "-q")
    uv(folder, "export", "-q", "--format", "pylock.toml", "-o", "pylock.toml")
    uv(folder, "export", "-q", "--no-emit-project", "-o", "requirements.txt")
    found = []
    for name in DECLARATIONS:
        before = contents(folder)
        found.append(contents(installed(folder)))
        assert contents(folder) == before
        if name != "pyproject.toml":
            (folder / name).unlink()
    assert "idna/__init__.py" in found[0]
    assert all(other == found[0] for other in found)


@network
def test_a_lock_leaves_out_groups_and_other_platforms(write, installed: Install):
    """From uv.lock comes what the function needs: neither development groups nor what its markers exclude."""
    text = project(IDNA, 'colorama==0.4.6; sys_platform == "win32"')
    folder = write({"pyproject.toml": text + '\n[dependency-groups]\ndev = ["iniconfig==2.0.0"]\n'})
    uv(folder, "lock", "-q")
    assert names(installed(folder)) == {"idna"}


@network
def test_two_installations_are_equal_byte_for_byte(write, installed: Install, cache: Cache, tmp_path: Path):
    """Two folders, two caches, two umasks: the same files, modes and bytes, and no path of this machine in any."""
    files = {"requirements.txt": "flask==3.0.0\nmarkupsafe==3.0.2\n"}
    first = installed(write(files, "one"))
    old = os.umask(0o077)
    try:
        second = installed(write(files, "two/deep"), cache=Cache(tmp_path / "second", cache.warn))
    finally:
        os.umask(old)
    assert {name: body for name, (_, body) in contents(first).items()} == {
        name: body for name, (_, body) in contents(second).items()
    }
    assert {n for n, (mode, _) in contents(first).items() if mode & 0o100} == {
        n for n, (mode, _) in contents(second).items() if mode & 0o100
    }
    for machine in (os.fsencode(tmp_path), os.fsencode(Path.home() / ".cache"), b".pyenv"):
        assert not [name for name, (_, body) in contents(first).items() if machine in body]


@network
def test_console_scripts_and_records_are_true(write, installed: Install, this_python: Interpreter):
    """A script starts the image's Python, and every row of every RECORD is a file with that hash and size."""
    folder = installed(write({"requirements.txt": "flask==3.0.0"}))
    script = (folder / "bin" / "flask").read_text()
    assert script.startswith(f"#!/var/lang/bin/{this_python.name}\n")
    assert (folder / "bin" / "flask").stat().st_mode & 0o111
    listed = set()
    for record in folder.glob("*.dist-info/RECORD"):
        for name, digest, size in csv.reader(record.read_text().splitlines()):
            body = (folder / name).read_bytes()
            listed.add(name)
            if digest:
                expected = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
                assert (digest, size) == (f"sha256={expected}", str(len(body))), name
    assert listed == set(contents(folder))


@network
def test_an_installation_is_reused(write, installed: Install, refused):
    """The second build of the same inputs needs neither index nor uv's cache; changed inputs install anew."""
    folder = write({"requirements.txt": IDNA})
    first = installed(folder)
    assert installed(folder, offline=True, UV_CACHE_DIR=str(folder / "empty")) == first
    (folder / "requirements.txt").write_text("idna==3.9")
    assert installed(folder) != first


@network
def test_offline_works_from_uvs_cache(write, installed: Install):
    """With --offline everything comes from what was fetched before."""
    installed(write({"requirements.txt": IDNA}, "warm"))
    assert names(installed(write({"requirements.txt": IDNA + "\n# again"}, "again"), offline=True)) == {"idna"}


def test_what_is_locked_and_in_uvs_cache_is_not_asked_for(write, installed: Install, httpserver, tmp_path: Path):
    """The index may be slow or gone: hashes say what is wanted. A new hash, and what has none, are asked for."""
    wheel = tmp_path / "mylib-1-py3-none-any.whl"
    make_wheel(wheel, "mylib")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = f'<a href="/{wheel.name}#sha256={digest}">{wheel.name}</a>'
    httpserver.expect_request("/simple/mylib/").respond_with_data(page, content_type="text/html")
    httpserver.expect_request(f"/{wheel.name}").respond_with_data(wheel.read_bytes())
    index = f"--index-url {httpserver.url_for('/simple')}\nmylib==1"
    asked = []
    for line in (f" --hash=sha256:{digest}", f" --hash=sha256:{digest}  # again", ""):
        folder = write({"requirements.txt": index + line}, f"folder-{len(asked)}")
        assert names(installed(folder, UV_CACHE_DIR=str(tmp_path / "uv"))) == {"mylib"}
        asked.append(len(httpserver.log))
        httpserver.clear_log()
    assert asked[0] > 0
    assert asked[1] == 0
    assert asked[2] > 0


@network
def test_a_wheel_of_this_machine_is_installed(write, installed: Install):
    """A wheel that lies in the project is taken, from requirements and from a lock, and leaves no path behind."""
    wheel = "wheels/mylib-1-py3-none-any.whl"
    folder = write({"wheels/x": "", "requirements.txt": f"./{wheel}"})
    make_wheel(folder / wheel, "mylib")
    for _ in range(2):
        found = contents(installed(folder))
        assert {"mylib.py", "mylib-1.dist-info/RECORD"} <= set(found)
        assert not [name for name, (_, body) in found.items() if os.fsencode(folder) in body]
        (folder / "requirements.txt").unlink(missing_ok=True)
        (folder / "pyproject.toml").write_text(
            project("mylib") + f'[tool.uv.sources]\nmylib = {{ path = "{wheel}" }}\n'
        )
        uv(folder, "lock", "-q")


def make_wheel(file: Path, name: str, tag: str = "py3-none-any") -> None:
    note = f"{name}-1.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{note}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(f"{note}/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{note}/RECORD", f"{name}.py,,\n{note}/METADATA,,\n{note}/WHEEL,,\n{note}/RECORD,,\n")


# What cannot be installed


@network
@pytest.mark.parametrize(
    ("requirements", "package"),
    [
        ("docopt==0.6.2", "docopt"),  # a source distribution only
        ("numpy==1.21.0", "numpy"),  # wheels for older Pythons
        ("numpy<1.20", "numpy"),  # many versions, none of which fits
        ("pywin32==306", "pywin32"),  # wheels for another platform
        ("uvicorn==0.30.0\ndocopt==0.6.2", "docopt"),
    ],
)
def test_a_package_without_a_fitting_wheel(write, refused, requirements: str, package: str, this_python: Interpreter):
    """The error names the package, the platform and what to do; nothing is compiled instead."""
    error = refused(write({"requirements.txt": requirements}))
    assert str(error) == f"installing requirements.txt: no wheel of {package} fits {this_python.described}"
    assert "Only wheels are installed, nothing is compiled." in error.hint
    assert f"Pick a version of {package} that has a wheel for it, another --python" in error.hint
    assert error.details


@network
@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        ("firkin-no-such-package-xyz", "firkin-no-such-package-xyz was not found"),
        ("idna==999", "there is no idna==999"),
        ("flask==3.0.0\nwerkzeug<2", "the requirements contradict each other: flask==3.0.0 depends on werkzeug>=3.0.0"),
        ("idna ===== 3", "a line of requirements.txt is no requirement"),
        (f"{IDNA} --hash={WRONG_HASH}", "the file of idna==3.10 does not have the hash that is written down"),
        (f"--require-hashes\n{IDNA} --hash={IDNA_HASH}\ncertifi==2024.7.4", "certifi==2024.7.4 has no hash"),
    ],
)
def test_requirements_that_do_not_resolve(write, refused, requirements: str, message: str):
    """Each mistake in a requirements file has a message of its own."""
    assert message in str(refused(write({"requirements.txt": requirements})))


@network
def test_a_right_hash_is_accepted(write, installed: Install):
    """The hash of the index's own file passes."""
    assert names(installed(write({"requirements.txt": f"{IDNA} --hash={IDNA_HASH}"}))) == {"idna"}


@network
def test_a_lock_that_is_not_the_projects_any_more(write, refused):
    """A changed pyproject.toml, a damaged lock, a lock alone: each is said, and the lock is not touched."""
    folder = write({"pyproject.toml": project(IDNA)})
    uv(folder, "lock", "-q")
    lock = (folder / "uv.lock").read_text()
    (folder / "pyproject.toml").write_text(project(IDNA, "certifi"))
    assert "it does not fit pyproject.toml any more" in str(refused(folder))
    (folder / "pyproject.toml").write_text(project(IDNA))
    (folder / "uv.lock").write_text(lock + "garbage = [")
    assert str(refused(folder)) == "installing uv.lock: it is damaged"
    (folder / "uv.lock").write_text(lock)
    (folder / "pyproject.toml").unlink()
    assert "there is no pyproject.toml beside it" in str(refused(folder))
    assert (folder / "uv.lock").read_text() == lock


@network
def test_a_changed_hash_in_a_lock_is_noticed(write, refused):
    """Hashes of uv.lock and pylock.toml are checked against what the index gives."""
    folder = write({"pyproject.toml": project(IDNA)})
    uv(folder, "lock", "-q")
    uv(folder, "export", "-q", "--format", "pylock.toml", "-o", "pylock.toml")
    for name in ("uv.lock", "pylock.toml"):
        text = (folder / name).read_text()
        (folder / name).write_text(re.sub(r"(sha256[^0-9a-f]+)[0-9a-f]{64}", r"\g<1>" + "0" * 64, text))
        error = refused(folder, UV_CACHE_DIR=str(folder.parent / "uv-cache"))
        assert str(error) == f"installing {name}: the file of idna==3.10 does not have the hash that is written down"
        (folder / name).unlink()


@network
def test_a_pylock_without_a_fitting_wheel(write, refused, this_python: Interpreter):
    """A lock whose only wheel is for another machine, or that has only a source, is an error about the package."""
    folder = write({"pyproject.toml": project(IDNA)})
    uv(folder, "export", "-q", "--format", "pylock.toml", "-o", "pylock.toml")
    (folder / "uv.lock").unlink(missing_ok=True)
    text = (folder / "pylock.toml").read_text()
    other = re.sub(r"(?m)^sdist = .*\n", "", text).replace("py3-none-any", "cp39-cp39-win_amd64")
    for changed in (other, re.sub(r"(?m)^wheels = .*\n", "", text)):
        (folder / "pylock.toml").write_text(changed)
        assert str(refused(folder)) == f"installing pylock.toml: no wheel of idna fits {this_python.described}"
    (folder / "pylock.toml").write_text("x = [")
    assert str(refused(folder)) == "installing pylock.toml: it is damaged"
    (folder / "pylock.toml").write_text(text.replace('">=3.9"', '">=3.99"'))
    assert "it needs Python >=3.99, and " in str(refused(folder))


@network
def test_members_of_a_workspace_are_not_overlooked(write, refused):
    """A dependency that is a folder of the same workspace is an error, never silently absent from the image."""
    member = '[project]\nname = "mylib"\nversion = "1"\n[build-system]\nrequires = ["hatchling"]\n'
    text = (
        project("mylib") + '[tool.uv.sources]\nmylib = { workspace = true }\n[tool.uv.workspace]\nmembers = ["lib"]\n'
    )
    folder = write({"pyproject.toml": text, "lib/pyproject.toml": member, "lib/mylib/__init__.py": ""})
    uv(folder, "lock", "-q")
    assert "installing uv.lock: './lib" in str(refused(folder))


@network
def test_a_source_that_would_be_linked_is_refused(write, refused):
    """An editable path source under [tool.uv.sources] would be a link to this machine: it is refused by name."""
    member = '[project]\nname = "mylib"\nversion = "1"\n[build-system]\nrequires = ["hatchling"]\n'
    member += 'build-backend = "hatchling.build"\n'
    text = project("mylib") + '[tool.uv.sources]\nmylib = { path = "lib", editable = true }\n'
    folder = write({"pyproject.toml": text, "lib/pyproject.toml": member, "lib/mylib/__init__.py": ""})
    assert "mylib" in str(refused(folder))


@network
@pytest.mark.parametrize("requirements", ["idna", "idna==3.10"])
def test_offline_without_a_cache(write, refused, requirements: str, tmp_path: Path):
    """With --offline and nothing fetched before, the error says so and what to do once."""
    error = refused(write({"requirements.txt": requirements}), offline=True, UV_CACHE_DIR=str(tmp_path / "empty"))
    assert "is not in uv's cache, and --offline forbids to fetch it" in str(error)
    assert error.hint == "Build once without --offline."


def test_an_index_that_cannot_be_reached_keeps_its_password(write, refused, tmp_path: Path):
    """No message, hint or log shows the credentials of an index, from the file or from the environment."""
    there = "http://user:s3cret@127.0.0.1:1/simple"  # nothing listens on port 1
    folder = write({"requirements.txt": f"--index-url {there}\nidna"})
    quick = {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "uv")}
    error = refused(folder, **quick)
    assert "the package index could not be reached" in str(error)
    (folder / "requirements.txt").write_text("idna")
    other = refused(folder, UV_DEFAULT_INDEX=there, **quick)
    for text in (str(error), error.hint, error.details, str(other), other.details):
        assert "s3cret" not in text


def test_an_index_that_refuses_is_named(write, refused, httpserver, tmp_path: Path):
    """401 and 403 are about credentials, which the hint names."""
    httpserver.expect_request("/simple/idna/").respond_with_data("no", status=401)
    folder = write({"requirements.txt": f"--index-url http://u:s3cret@127.0.0.1:{httpserver.port}/simple\nidna"})
    error = refused(folder, UV_CACHE_DIR=str(tmp_path / "uv"))
    assert "the package index refused: 401 Unauthorized" in str(error)
    assert "credentials" in error.hint
    assert "s3cret" not in error.details


def test_an_index_with_a_certificate_of_its_own_authority_is_told(write, refused, tmp_path: Path):
    """As behind the proxy of a company; the hint names the variable that helps."""
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=index", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(ssl_context=context) as index:
        folder = write({"requirements.txt": f"--index-url {index.url_for('/simple')}\nidna"})
        error = refused(folder, UV_CACHE_DIR=str(tmp_path / "uv"), UV_HTTP_RETRIES="0")
    assert "the certificate of the package index is not trusted" in str(error)
    assert "SSL_CERT_FILE" in error.hint


def test_an_index_that_never_answers_is_given_up(write, refused, monkeypatch: pytest.MonkeyPatch):
    """Every wait has an end, and the message says how long it was."""
    monkeypatch.setattr(dependencies, "INSTALL_TIMEOUT_S", 0.01)
    error = refused(write({"requirements.txt": IDNA}), offline=True)
    assert str(error) == "installing requirements.txt: uv did not finish within 0.01 s"


@network
@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_wheels_are_those_of_the_target(write, installed: Install, version: str):
    """Compiled packages are installed for the Python that is shipped, not for the one that builds."""
    try:
        python = observe_interpreter(version)
    except Exception:  # noqa: BLE001 - which Pythons there are is the machine's business
        elsewhere(f"it has no Python {version}")
    folder = installed(write({"requirements.txt": "markupsafe==3.0.2"}), python=python)
    tags = {file.name.split(".")[1] for file in folder.rglob("*.so")}
    assert tags == {f"cpython-{version.replace('.', '')}-{python.machine}-linux-gnu"}


def test_the_key_knows_the_interpreter_and_uvs_settings(write, cache: Cache, this_python: Interpreter):
    """Another Python, another libc or another index is another installation; where uv caches is not."""
    folder = write({"requirements.txt": "./mylib-1-py3-none-any.whl"})
    make_wheel(folder / "mylib-1-py3-none-any.whl", "mylib")
    declaration = declared(folder)

    def key(python: Interpreter = this_python, **environment: str) -> str:
        return install(declaration, python, cache, offline=True, environment=clean_environment(**environment))[1]

    base = key()
    assert key(UV_HTTP_TIMEOUT="9") == base
    assert key(UV_EXCLUDE_NEWER="2030-01-01") != base
    assert key(replace(this_python, full_version="3.99.0")) != base
    assert key(replace(this_python, glibc="2.1")) != base
    assert (
        install(
            replace(declaration, cacheable=False), this_python, cache, offline=True, environment=clean_environment()
        )[1]
        != base
    )


BASE = Interpreter("/usr/bin/python3.11", (3, 11), "3.11.2", "/usr/lib/python3.11", "x86_64", "2.36", "", "cpython",
                   gil=True, root="/base")  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "version", "platform"),
    [
        ({}, "3.11.2", "x86_64-manylinux_2_36"),
        ({"glibc": "2.26"}, "3.11.2", "x86_64-manylinux_2_17"),
        ({"glibc": "2.28"}, "3.11.2", "x86_64-manylinux_2_28"),
        ({"glibc": "2.99", "machine": "aarch64"}, "3.11.2", "aarch64-manylinux_2_40"),
        ({"glibc": "", "musl": "1.2.3"}, "3.11.2", "x86_64-unknown-linux-musl"),
        ({"glibc": "", "musl": "1.2.5", "machine": "aarch64"}, "3.11.2", "aarch64-unknown-linux-musl"),
        ({"glibc": "", "full_version": "3.13"}, "3.13", "x86_64-manylinux_2_17"),
    ],
)
def test_a_bases_libc_decides_which_wheels_are_taken(facts, version, platform):
    """The newest platform that uv knows by name and the base's libc can load."""
    assert target_options(replace(BASE, **facts)) == ["--python-version", version, "--python-platform", platform]


@pytest.mark.parametrize("facts", [{"glibc": "2.12"}, {"glibc": "", "musl": "1.1.24"}])
def test_a_base_too_old_for_any_wheel_is_refused(facts):
    with pytest.raises(BaseError, match="wheels are made for"):
        target_options(replace(BASE, **facts))


def test_uv_knows_every_platform_that_is_asked_of_it():
    """Its own list, of both architectures."""
    known = subprocess.run(
        [uv_program(), "pip", "install", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for machine in ("x86_64", "aarch64"):
        for minor in _UV_GLIBC_MINORS:
            assert f"{machine}-manylinux_2_{minor}" in known
        assert f"{machine}-unknown-linux-musl" in known


TRICKS = {
    "climbs": [("../../evil.py", "x", stat.S_IFREG | 0o644)],
    "is absolute": [("/tmp/firkin-evil.py", "x", stat.S_IFREG | 0o644)],
    "links out": [("link.py", "/etc/passwd", stat.S_IFLNK | 0o777)],
    "writes through a link": [("dir", "{outside}", stat.S_IFLNK | 0o777), ("dir/evil.py", "x", stat.S_IFREG | 0o644)],
    "climbs out of its data": [("tricky-1.data/data/../../../evil.py", "x", stat.S_IFREG | 0o644)],
    "is a device": [("null", "x", stat.S_IFCHR | 0o666), ("pipe", "x", stat.S_IFIFO | 0o666)],
    "climbs with backslashes": [("..\\..\\evil.py", "x", stat.S_IFREG | 0o644)],
    "climbs with a script's name": [
        ("tricky-1.dist-info/entry_points.txt", "[console_scripts]\n../../evil = tricky:main\n", stat.S_IFREG | 0o644)
    ],
    "climbs out of its scripts": [("tricky-1.data/scripts/../../../evil", "#!python\n", stat.S_IFREG | 0o755)],
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_wheel_cannot_write_elsewhere_or_bring_links(write, installed: Install, tmp_path: Path, trick: str):
    """Uv's own guard: what leads outside is left out or refused, and a link becomes a file."""
    (tmp_path / "outside").mkdir()
    folder = write({"requirements.txt": "./tricky-1-py3-none-any.whl"})
    make_wheel(folder / "tricky-1-py3-none-any.whl", "tricky")
    with zipfile.ZipFile(folder / "tricky-1-py3-none-any.whl", "a") as wheel:
        for name, content, mode in TRICKS[trick]:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            wheel.writestr(info, content.format(outside=tmp_path / "outside"))
    try:
        found = installed(folder)
    except DependencyError as error:
        assert "tricky" in error.details  # noqa: PT017 - being refused is as good
    else:
        assert all(path.is_dir() or path.is_file() for path in found.rglob("*"))
        assert not any(path.is_symlink() for path in found.rglob("*"))
        assert (found / "tricky.py").exists()
    assert not any((tmp_path / "outside").iterdir())
    assert not list(tmp_path.rglob("evil*"))
    assert not Path("/tmp/firkin-evil.py").exists()


def test_a_wheel_that_unpacks_to_more_than_any_image_holds_is_refused(write, refused, monkeypatch):
    """A zip bomb; a smaller limit stands in for it. The largest is named, nothing is kept."""
    monkeypatch.setattr("builder.installed.MAX_BYTES", 1_000_000)
    folder = write({"requirements.txt": "./bomb-1-py3-none-any.whl"})
    make_wheel(folder / "bomb-1-py3-none-any.whl", "bomb")
    with zipfile.ZipFile(folder / "bomb-1-py3-none-any.whl", "a", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("bomb/zeros", bytes(3_000_000))
    error = refused(folder)
    assert "installing requirements.txt: the packages unpack to 0.0 GB in " in str(error)
    assert "no image holds" in str(error)
    assert "the largest are bomb (3 MB)" in error.hint


def test_packages_of_too_many_files_are_refused(write, refused, monkeypatch):
    monkeypatch.setattr("builder.installed.MAX_FILES", 3)
    folder = write({"requirements.txt": "./many-1-py3-none-any.whl"})
    make_wheel(folder / "many-1-py3-none-any.whl", "many")
    assert "files, which no image holds" in str(refused(folder))


def test_what_unpacks_without_end_is_stopped_while_it_does(write, refused, monkeypatch, tmp_path: Path):
    """A program in uv's place that only writes, as uv does with a bomb."""
    program = tmp_path / "endless"
    program.write_text("#!/bin/sh\nexec cat /dev/zero > /dev/null\n")
    program.chmod(0o755)
    monkeypatch.setattr("builder.dependencies.uv_program", lambda: str(program))
    monkeypatch.setattr("builder.dependencies.MAX_WRITTEN_BYTES", 1_000_000)
    error = refused(write({"requirements.txt": "x"}))
    assert "uv has unpacked" in str(error)
    assert "was stopped" in str(error)
    assert "zip bomb" in error.hint
