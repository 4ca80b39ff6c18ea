"""Images on other bases, end to end: what is kept of the base, what is taken out of it, and what is refused.

The bases are made of Debian's packages. All in one worker, which unpacks each base once.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from builder.oci import Entry, Image, Platform, read_layout, unpack, write_archive, write_index_layout
from builder.prove import NATIVE, runner_of
from tests.bases import FOREIGN, HERE, aws_like_base, debian_base, debian_tree, musl_base, write_base
from tests.conftest import ROOT, Done, elsewhere, run, unavailable

pytestmark = pytest.mark.xdist_group("bases")

SEES = """\
import os, sys

def handler(event, context):
    return {"version": sys.version.split()[0], "prefix": sys.prefix, "executable": sys.executable, "path": sys.path,
            "environment": dict(os.environ), "uid": os.getuid()}
"""


@pytest.fixture(scope="session")
def base() -> Path:
    """An image layout with Debian's Python for this machine."""
    return debian_base(HERE)


@pytest.fixture(scope="session")
def base_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the bases are unpacked once."""
    return tmp_path_factory.mktemp("bases-cache")


@pytest.fixture
def build(commands: Path, base_cache: Path, tmp_path: Path) -> Callable[..., Done]:
    """Return `build(*arguments, cache=…, VARIABLE=…)`: the command, with the cache of bases."""

    def call(*arguments: object, cache: Path | None = None, **variables: str) -> Done:
        return run([commands / "build-image", *arguments], cache=cache or base_cache, cwd=tmp_path, **variables)

    return call


def built(done: Done, layout: Path) -> Image:
    assert done.code == 0, done.err
    return read_layout(layout)


def files_of(image: Image, folder: Path) -> set[str]:
    unpack(image, folder)
    return {str(Path(above, name).relative_to(folder)) for above, _, names in os.walk(folder) for name in names}


def test_a_kept_base_stays_as_it_is_under_our_layers(build, base, function, tmp_path, skopeo):
    """Its layers, environment, history and labels stay; its own Python starts the runtime; ours comes on top."""
    source = function(SEES)
    image = built(build(source, "--base", f"oci:{base}", "-o", f"oci:{tmp_path}/out"), tmp_path / "out")
    theirs = read_layout(base)
    assert [layer.descriptor.digest for layer in image.layers[:1]] == [theirs.layers[0].descriptor.digest]
    assert image.config.entrypoint == ("/usr/bin/python3", "-s", "/var/runtime/bootstrap/__main__.pyc")
    assert image.config.cmd == ("app.handler",)
    assert image.config.env["PATH"].startswith("/usr/local/bin:/usr/bin:/bin:/var/lang/bin")
    assert image.config.env["LANG"] == "C.UTF-8"
    assert image.config.env["LAMBDA_TASK_ROOT"] == "/var/task"
    assert image.config.working_dir == "/var/task"
    assert image.config.labels["vendor"] == "example"
    assert image.config.labels.get("org.opencontainers.image.title") != "a base"
    annotations = json.loads(image.manifest)["annotations"]
    assert annotations["org.opencontainers.image.base.digest"] == str(theirs.digest)
    names = files_of(image, tmp_path / "root")
    assert {"usr/bin/dpkg", "usr/bin/python3.11", "var/task/app.py", "var/runtime/bootstrap/__main__.py"} <= names
    assert "var/runtime/bootstrap/loop.pyc" in names
    inspected = json.loads(run([skopeo, "inspect", f"oci:{tmp_path}/out"]).out)
    assert inspected["Architecture"] == HERE
    assert len(inspected["Layers"]) == len(image.layers) == 3


def test_a_flattened_base_gives_its_python_and_what_that_needs_also_as_a_package(build, base, function, tmp_path):
    """The package manager stays behind; the interpreter moves to the usual place; the environment is cleaned.

    The same files as a zip are proven where Lambda unpacks it, in a root with a shell and nothing else.
    """
    source = function(SEES)
    done = build(
        source, "--base", f"oci:{base}", "--flatten", "-v", "--sbom", tmp_path / "sbom.json",
        "-o", f"oci:{tmp_path}/out", "-o", f"zip:{tmp_path}/out.zip",
    )  # fmt: skip
    image = built(done, tmp_path / "out")
    assert "proven: 1 event" in done.err
    assert "proven as a zip too, in a" in done.err
    names = files_of(image, tmp_path / "root")
    assert "var/lang/bin/python3.11" in names
    assert not any("dpkg" in name for name in names)
    assert image.config.entrypoint[:2] == ("/var/lang/bin/python3.11", "-S")
    assert "GPG_KEY" not in image.config.env
    assert image.config.env["LANG"] == "C.UTF-8"
    theirs, ours = (sum(layer.descriptor.size for layer in one.layers) for one in (read_layout(base), image))
    assert ours < theirs
    with zipfile.ZipFile(tmp_path / "out.zip") as package:
        zipped = set(package.namelist())
        assert package.getinfo("bootstrap").external_attr >> 16 & 0o777 == 0o755
    assert {"bootstrap", "app.py", ".firkin/bin/python3.11.bin", ".firkin/libs/libc.so.6"} <= zipped
    check_sbom_of_flattened(tmp_path / "sbom.json")


def check_sbom_of_flattened(file: Path) -> None:
    """Valid by the schema; the base by its digest, its libraries by their Debian packages, and none that stayed."""
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    assert parts["base"]["version"].startswith("sha256:")
    assert parts["libc.so.6"]["purl"].startswith("pkg:deb/linux/libc6@2."), "the base has no os-release"
    assert parts["cpython"]["version"].startswith("3.11.")
    libraries = {
        name: part for name, part in parts.items() if {"name": "firkin:kind", "value": "library"} in part["properties"]
    }
    assert all(part["purl"].startswith("pkg:deb/") and part["hashes"] for part in libraries.values())
    assert not {"dpkg", "tzdata", "bash"} & parts.keys()


def test_a_base_without_python_is_refused_with_what_was_looked_for(build, function, tmp_path):
    """The message names the places and what was found there; nothing is written."""
    empty = write_base(tmp_path / "empty", [Entry.file("usr/bin/python3", b"#!/bin/sh\n", 0o755)])
    done = build(function(), "--base", f"oci:{empty}", "-o", f"oci:{tmp_path}/out")
    assert done.code == 15
    assert "looked for python3, python and python3.N in /usr/local/bin, /usr/bin" in done.err
    assert "/usr/bin/python3 is a script, not the interpreter itself" in done.err
    assert "firkin bases" in done.err
    assert not (tmp_path / "out").exists()


def test_a_base_out_of_a_registry_is_mounted_where_the_image_goes(build, base, function, registry, skopeo, tmp_path):
    """The base is pulled by its name; in the same registry its layers are mounted and only ours are sent."""
    place = f"{registry.host}/bases/python"
    run([skopeo, "copy", "--dest-tls-verify=false", f"oci:{base}", f"docker://{place}:1"])
    named = ("--base", f"{place}:1", "--insecure-registry", registry.host, "--no-prove")
    with registry.counted() as requests:
        done = build(function(), *named, "--push", "-t", f"{registry.host}/bases/function:1", "--json")
    assert done.code == 0, done.err
    pushed = json.loads(done.out)["pushed"]
    assert pushed["blobs_mounted"] == len(read_layout(base).layers)
    assert pushed["blobs_uploaded"] > 0
    posts = [path for method, path, _ in requests if method == "POST" and "mount=" in path]
    assert all("from=bases/python" in path for path in posts)
    with registry.counted() as requests:
        again = build(function(), *named, "--offline", "-o", "oci:image")
    assert (again.code, requests) == (0, []), again.err


def test_an_image_for_another_architecture_is_built_here_and_proven_in_the_kernels_emulator(build, tmp_path):
    """Wheels and bytecode come without emulation; the proof runs the image's own Python and a native wheel in qemu."""
    runner = runner_of(FOREIGN)
    if HERE == "arm64" and runner is None:
        elsewhere("scripts/engines registers an emulator of arm64 on x86-64, not the other way round")
    if runner in {None, NATIVE}:
        unavailable(f"this kernel runs no {FOREIGN} programs: scripts/engines registers an emulator")
    source = ROOT / "examples/thumbnail"
    event = min((source / "events").glob("*.json")).stem
    done = build(
        source, "--base", f"oci:{debian_base(FOREIGN)}", "--platform", f"linux/{FOREIGN}",
        "--event", f"events/{event}.json", "-o", f"oci:{tmp_path}/out",
    )  # fmt: skip
    image = built(done, tmp_path / "out")
    assert (
        f"proven: 1 event, in a namespace (read-only root, uid 12345, no privileges), emulated by {runner}" in done.err
    )
    assert image.config.architecture == FOREIGN
    names = files_of(image, tmp_path / "root")
    machine = {"arm64": "aarch64", "amd64": "x86_64"}[FOREIGN]
    assert any(name.endswith(f"_imaging.cpython-311-{machine}-linux-gnu.so") for name in names)
    assert "var/task/__pycache__/app.cpython-311.pyc" in names


def test_where_no_program_of_it_runs_an_image_says_plainly_that_it_is_not_proven(
    base_cache, function, tmp_path, root, commands
):
    """The kernel's list of emulators is hidden from the build."""
    hide = 'mount -t tmpfs none /proc/sys/fs/binfmt_misc; exec "$@"'
    if not Path("/proc/sys/fs/binfmt_misc/status").exists():
        elsewhere("its kernel has no list of emulators to hide")
    done = run(
        ["unshare", "-m", "sh", "-c", hide, "-", commands / "build-image", function(), "--base",
         f"oci:{debian_base(FOREIGN)}", "-o", f"oci:{tmp_path}/out", "--json"],
        cache=base_cache, cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f"not proven: the image is for linux/{FOREIGN}" in done.err
    assert "install qemu-user-static" in done.err
    assert "that the function misses nothing is known by reading alone" in done.err
    assert json.loads(done.out)["proof"]["method"] == "not proven"
    assert read_layout(tmp_path / "out").config.architecture == FOREIGN


MUSL_HANDLER = """\
import sysconfig
from markupsafe import _speedups, escape

def handler(event, context):
    return [sysconfig.get_config_var("SOABI").split("-")[-1], _speedups.__file__[-7:], str(escape(event["name"]))]
"""


@pytest.mark.parametrize(
    ("how", "program"), [([], "/usr/local/bin/python3"), (["--flatten"], "/var/lang/bin/python3.")]
)
def test_a_base_on_musl_runs_with_wheels_for_musl(build, function, tmp_path, how, program):
    """A real CPython on musl, and a compiled wheel for musl, in the sandbox; kept, and trimmed to what is reached."""
    source = function(
        MUSL_HANDLER,
        events={"e": {"name": "<"}},
        expected={"e": ["musl", "musl.so", "&lt;"]},
        files={"requirements.txt": "markupsafe==3.0.2\n"},
    )
    done = build(source, "--base", f"oci:{musl_base()}", *how, "-o", f"oci:{tmp_path}/out", "-v")
    image = built(done, tmp_path / "out")
    assert "(musl 1.2" in done.err
    assert "proven: 1 event" in done.err
    assert ("the base is kept as it is: trimming is for what lies over it" in done.err) == (not how)
    assert image.config.entrypoint[0].startswith(program)


OF_THE_BASE = """\
import company, ssl, subprocess, sys

def handler(event, context):
    child = subprocess.run([sys.executable, "-c", "import company; print(company.NAME)"], capture_output=True)
    return [company.NAME, child.stdout.decode(), sys.executable]
"""


def test_a_base_laid_out_as_awss_own_keeps_its_packages_and_library_path(build, function, tmp_path):
    """AWS's cannot be fetched for a test. Its packages are imported, its own runtime's file gives way to our folder.

    They may look for what lies over them, so that all of it stays.
    """
    answer = ["the base", "the base\n", "/var/lang/bin/python3"]
    requirements = {"requirements.txt": "colorama==0.4.6\n"}
    source = function(OF_THE_BASE, events={"e": {}}, expected={"e": answer}, files=requirements)
    done = build(source, "--base", f"oci:{aws_like_base()}", "-o", f"oci:{tmp_path}/out")
    image = built(done, tmp_path / "out")
    assert "proven: 1 event" in done.err
    assert "all dependencies stay: the base has packages of its own" in done.err
    assert "opt/python/colorama/ansi.py" in files_of(image, tmp_path / "root")
    assert image.config.env["LD_LIBRARY_PATH"].startswith("/var/lang/lib:")
    assert image.config.env["TZ"] == ":/etc/localtime"


def test_several_platforms_give_an_image_each_and_an_index_on_request(build, base, function, tmp_path, registry):
    """Out of one base for both; names tell the images apart; Lambda would refuse the index, and the build says so."""
    images = [read_layout(base), read_layout(debian_base(FOREIGN))]
    write_index_layout(images, tmp_path / "both")
    both = ["--platform", "linux/amd64", "--platform", "linux/arm64", "--index", "--no-prove", "--json"]
    outputs = ["-o", f"oci:{tmp_path}/out", "-o", f"tar:{tmp_path}/out.tar"]
    name = f"{registry.host}/platforms/hello"
    pushed = ["-t", f"{name}:1", "--push", "--insecure-registry", registry.host]
    done = build(function(), "--base", f"oci:{tmp_path}/both", *both, *outputs, *pushed)
    assert done.code == 0, done.err
    told = json.loads(done.out)["images"]
    assert [one["architecture"] for one in told] == ["amd64", "arm64"]
    assert [one["reference"] for one in told] == [f"{name}:1-amd64", f"{name}:1-arm64"]
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out", "out-amd64", "out-amd64.tar", "out-arm64", "out-arm64.tar",
    ]  # fmt: skip
    assert done.err.count("is an index (sha256:") == done.err.count("which Lambda refuses") == 2
    tagged = f"http://{registry.host}/v2/platforms/hello/manifests/1"
    asked = urllib.request.Request(tagged, headers={"Accept": "application/vnd.oci.image.index.v1+json"})
    with urllib.request.urlopen(asked) as answer:
        assert [one["digest"] for one in json.load(answer)["manifests"]] == [one["digest"] for one in told]
    for one in told:
        architecture = one["architecture"]
        assert str(read_layout(tmp_path / f"out-{architecture}").digest) == one["digest"]
        found = read_layout(tmp_path / "out", platform=Platform("linux", architecture))
        assert str(found.digest) == one["digest"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--platform", f"linux/{FOREIGN}"], f"it is for linux/{HERE}, and linux/{FOREIGN} was asked for"),
        (["--python", "3.99"], "is Python 3.11"),
        (["--python", "/opt/python3"], "looked at /opt/python3"),
        (["--flatten", "--base", "host"], "--base host is FROM scratch already"),
        (["--base", "oci:nowhere"], "reading the base oci:nowhere: "),
        (["--base", "tar:/etc/passwd"], "reading the base tar:/etc/passwd: "),
        (["--base", "a b"], "is none of host, oci:DIR"),
    ],
)
def test_what_cannot_be_built_on_is_told_and_nothing_is_written(build, base, function, tmp_path, arguments, words):
    done = build(function(), "--base", f"oci:{base}", *arguments, "-o", f"oci:{tmp_path}/out")
    assert (done.code, words in done.err) == (15, True), done.err
    assert not (tmp_path / "out").exists()


def test_a_base_that_is_kept_is_no_package(build, base, function, tmp_path):
    done = build(function(), "--base", f"oci:{base}", "--no-prove", "-o", f"zip:{tmp_path}/out.zip")
    assert (done.code, "Add --flatten" in done.err) == (8, True), done.err


def small_base(folder: Path, *more: Entry) -> Path:
    """A base of a few files that only looks like one with Python: for what need not run."""
    program = debian_tree(HERE) / "usr/bin/python3.11"
    files = {"usr/lib/python3.11/os.py": b"", "usr/lib/python3.11/importlib/_bootstrap_external.py": b""}
    entries = [Entry.file(name, content) for name, content in files.items()]
    tree = debian_tree(HERE)
    libraries = next((tree / "usr/lib").glob("*-linux-gnu"))
    needed = [f"usr/lib/{libraries.name}/{name}" for name in ("libc.so.6", "libm.so.6", "libz.so.1", "libexpat.so.1")]
    loaders = [name for name in ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1") if (tree / name).exists()]
    entries += [Entry.file(name, (tree / name).resolve(), 0o755) for name in (*needed, *loaders)]
    return write_base(folder, [*entries, Entry.file("usr/bin/python3.11", program, 0o755), *more], architecture=HERE)


def test_a_hostile_base_cannot_make_this_machines_files_part_of_an_image(build, function, tmp_path):
    """Links that lead out of the base are read as inside it, where nothing is."""
    secret = tmp_path / "secret.py"
    secret.write_text("precious")
    base = small_base(
        tmp_path / "base",
        Entry.symlink("usr/lib/python3.11/leak.py", str(secret)),
        Entry.symlink("usr/lib/python3.11/up.py", "../" * 20 + str(secret).lstrip("/")),
        Entry.symlink("usr/lib/python3.11/all", "/"),
        Entry.symlink("usr/share/zoneinfo", str(tmp_path)),
        Entry.symlink("etc/ssl/certs/ca-certificates.crt", str(secret)),
    )
    done = build(
        function(), "--base", f"oci:{base}", "--flatten", "--no-prove", "--trim", "none", "-o", f"oci:{tmp_path}/out"
    )
    names = files_of(built(done, tmp_path / "out"), tmp_path / "root")
    assert not any("leak" in name or "secret" in name for name in names)
    for name in names:
        file = tmp_path / "root" / name
        assert file.is_symlink() or b"precious" not in file.read_bytes()


def hostile_layout(folder: Path, name: str, kind: bytes, target: str = "") -> Path:
    """A layout whose one layer is a tar that our own writer would refuse to write."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        tar.addfile(info)
    plain = folder.with_name("plain.tar")
    plain.write_bytes(out.getvalue())
    config = {"architecture": HERE, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [_sha(out.getvalue())]}}
    files = {"manifest.json": json.dumps([{"Config": "config.json", "RepoTags": [], "Layers": ["layer.tar"]}]).encode(),
             "config.json": json.dumps(config).encode(), "layer.tar": out.getvalue()}  # fmt: skip
    with tarfile.open(folder, "w") as tar:
        for member, data in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return folder


def _sha(data: bytes) -> str:
    import hashlib  # noqa: PLC0415 - for this line alone

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../evil", tarfile.REGTYPE, ""),
        ("/evil", tarfile.REGTYPE, ""),
        ("a/../../evil", tarfile.DIRTYPE, ""),
        ("shadow", tarfile.LNKTYPE, "/etc/shadow"),
        ("shadow", tarfile.LNKTYPE, "../../../../etc/shadow"),
        (".wh...", tarfile.REGTYPE, ""),
    ],
)
def test_a_base_that_attacks_this_machine_is_refused(build, function, tmp_path, name, kind, target):
    """Names that lead outside, hard links to what is not in the image, whiteouts that name nothing."""
    base = hostile_layout(tmp_path / "base.tar", name, kind, target)
    done = build(function(), "--base", f"tar:{base}", "-o", f"oci:{tmp_path}/out", cache=tmp_path / "cache")
    assert (done.code, "reading the base tar:" in done.err) == (15, True), done.err
    assert "reading the image" not in done.err, "what was being done is said once"
    assert not list(tmp_path.rglob("evil"))
    assert not list(tmp_path.rglob("shadow"))


def test_devices_and_whiteouts_for_nothing_are_no_reason_to_refuse_a_base(build, function, tmp_path):
    """Engines bring their own /dev, and a whiteout may be for what no lower layer has."""
    for name, kind in (
        ("dev/null", tarfile.CHRTYPE),
        ("x/.wh.gone", tarfile.REGTYPE),
        (".wh..wh..opq", tarfile.REGTYPE),
    ):
        base = hostile_layout(tmp_path / "base.tar", name, kind)
        done = build(function(), "--base", f"tar:{base}", "-o", f"oci:{tmp_path}/out", cache=tmp_path / "cache")
        assert (done.code, "looking for Python in the base" in done.err) == (15, True), done.err


@pytest.fixture(params=["docker", "registry", "buildah", "skopeo"])
def elsewhere_base(request, base, tmp_path):
    """The same base in another tool's hands, as `--base` names it; with what it needs besides."""
    match request.param:
        case "docker":
            write_archive(read_layout(base), tmp_path / "load.tar", tag="firkin-test-named:1")
            docker = request.getfixturevalue("docker")
            docker("load", "-i", str(tmp_path / "load.tar"))
            return "docker:firkin-test-named:1", ()
        case "registry":
            host = request.getfixturevalue("registry").host
            copy(
                [request.getfixturevalue("skopeo")], base, f"docker://{host}/bases/debian:12", "--dest-tls-verify=false"
            )
            return f"{host}/bases/debian:12", ("--insecure-registry", host)
        case "buildah":
            return f"oci:{by_buildah(request, base, tmp_path)}", ()
        case _:
            copy([request.getfixturevalue("skopeo")], base, f"oci-archive:{tmp_path}/base.tar:debian:12")
            return f"tar:{tmp_path}/base.tar", ()


def copy(skopeo: list[str], base: Path, target: str, *options: str) -> None:
    subprocess.run(
        [*skopeo, "--insecure-policy", "copy", "-q", *options, f"oci:{base}:latest", target],
        check=True, timeout=100, capture_output=True,
    )  # fmt: skip


def by_buildah(request: pytest.FixtureRequest, base: Path, folder: Path) -> Path:
    """The base with one more layer, committed by buildah."""
    request.getfixturevalue("root")
    program = shutil.which("buildah") or unavailable("buildah is not installed: scripts/engines installs it")
    own = ["--storage-driver", "vfs", "--root", str(folder / "buildah"), "--runroot", str(folder / "run")]

    def buildah(*arguments: str) -> str:  # it makes names of paths, so the paths are short
        done = subprocess.run(
            [program, *own, *arguments], capture_output=True, text=True, timeout=100, check=False, cwd=folder
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    (folder / "base").symlink_to(base)
    name = buildah("from", "oci:base:latest")
    (folder / "added.txt").write_text("added")
    buildah("copy", name, str(folder / "added.txt"), "/added.txt")
    buildah("config", "--env", "ADDED=yes", name)
    buildah("commit", "--format", "oci", name, "oci:committed:latest")
    return folder / "committed"


def test_a_base_is_the_same_wherever_it_comes_from(build, base, function, elsewhere_base, tmp_path):
    """Docker, a registry, buildah and skopeo hand it on: the same files under ours, or in ours when flattened."""
    name, options = elsewhere_base
    source = function()
    image = built(build(source, "--base", name, *options, "--no-prove", "-o", f"oci:{tmp_path}/out"), tmp_path / "out")
    done = build(source, "--base", name, *options, "--flatten", "--trim", "reachable", "-o", f"oci:{tmp_path}/flat")
    flat = built(done, tmp_path / "flat")
    if name.startswith("docker:"):
        subprocess.run(["docker", "rmi", name.removeprefix("docker:")], capture_output=True, check=False)
    assert "proven: 1 event" in done.err
    assert flat.config.entrypoint[0].startswith("/var/lang/bin/python3")
    # What is taken out of the base and what stays out of it do not depend on whose hands it was in.
    same = build(source, "--base", f"oci:{base}", "--flatten", "--no-prove", "-o", f"oci:{tmp_path}/same")
    assert flat.layers == built(same, tmp_path / "same").layers
    assert image.layers[0].diff_id == read_layout(base).layers[0].diff_id
    assert image.config.labels["vendor"] == "example"
    if "committed" in name:
        assert image.config.env["ADDED"] == "yes"
        assert len(image.layers) == 4
    assert all(layer.descriptor.media_type.endswith("tar+gzip") for layer in image.layers)


def test_the_same_base_and_function_give_the_same_digest_in_another_cache(build, function, tmp_path):
    """Bytecode is the base's own Python's, and nothing of this machine gets in."""
    source, base = function(), musl_base()
    one = build(source, "--base", f"oci:{base}", "-o", f"oci:{tmp_path}/one", TZ="Asia/Tokyo")
    two = build(
        source, "--base", f"oci:{base}", "-o", f"oci:{tmp_path}/two", cache=tmp_path / "cache", PYTHONHASHSEED="7"
    )
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert one.out == two.out


def test_the_bases_that_are_known_are_listed(commands):
    told = json.loads(run([commands / "firkin", "bases", "--json"]).out)["bases"]
    assert told[0]["reference"] == "host"
    assert "public.ecr.aws/lambda/python" in {one["reference"] for one in told}
    assert run([commands / "firkin", "bases"]).out.startswith("BASE ")
