"""Every rule has an image that breaks it and nothing else, and the clean image breaks none."""

import shutil
from pathlib import Path

import pytest

from builder.errors import ImageError
from builder.lint import lint, lint_each, open_subjects, read_rules
from tests.builder.lint.conftest import CLEAN, CONFIG, OCI, tar

BASE = tar(*CLEAN)
MARK = b"\x7fELF"


def with_config(**changes):
    """The clean configuration with other values in its `config`."""
    return {**CONFIG, "config": {**CONFIG["config"], **changes}}


def without(*names: str) -> bytes:
    """The clean layer without these."""
    return tar(*(member for member in CLEAN if member[0] not in names))


# Rule → a layer on top of the clean one that breaks it, and the place that is told.
LAYERS = {
    "missing-parent": (tar(("srv/data", "file", b"x")), "/srv"),
    "unsafe-name": (tar(("../evil", "file", b"x")), ""),
    "hard-link": (tar(("a", "hard", "b"), ("b", "file", b"x")), "/a"),
    "whiteout": (tar((".wh.nothing", "file", b"")), "/nothing"),
    "device-file": (tar(("pipe", "fifo")), "/pipe"),
    "duplicate-entry": (tar(("a", "file", b"1"), ("a", "file", b"2")), "/a"),
    "unreadable": (
        tar(("var", "dir"), ("var/task", "dir"), ("var/task/key", "file", b"", {"mode": 0o600})),
        "/var/task/key",
    ),
    "system-unreadable": (tar(("shadow", "file", b"", {"mode": 0o640})), ""),
    "secret-in-file": (tar(("key.pem", "file", b"-----BEGIN RSA PRIVATE KEY-----\nMII")), "/key.pem"),
    "version-control": (tar((".git", "dir")), "/.git"),
}

CONFIGS = {
    "platform": {**CONFIG, "architecture": "s390x"},
    "command-limits": with_config(Cmd=["app.handler", *["x"] * 1500]),
    "entrypoint": with_config(Entrypoint=["/usr/bin/absent"]),
    "handler": with_config(Cmd=["app.absent"]),
    "environment-size": with_config(Env=["A=" + "x" * 5000]),
    "reserved-variable": with_config(Env=["AWS_REGION=eu-west-1"]),
    "secret-in-environment": with_config(Env=["DB_PASSWORD=correct-horse-battery"]),
    "secret-in-history": {**CONFIG, "history": [{"created_by": "ARG T=ghp_" + "a1" * 20}]},
    "user": with_config(User="1000"),
}


@pytest.mark.parametrize("rule", LAYERS)
def test_a_fault_of_a_layer_is_found_where_it_is(layout, found, rule):
    """One finding, with the path of the file that is wrong."""
    layer, place = LAYERS[rule]
    assert found(layout.write(layout.manifest([BASE, layer]))) == [(rule, place)]


@pytest.mark.parametrize("rule", CONFIGS)
def test_a_fault_of_the_configuration_is_found(layout, found, rule):
    """One finding, about the rule that is broken."""
    assert [one for one, _ in found(layout.write(layout.manifest([BASE], config=CONFIGS[rule])))] == [rule]


def test_a_clean_image_has_nothing_to_say_about(layout, found):
    """No finding at all, also from the cache."""
    name = layout.write(layout.manifest([BASE]))
    assert found(name) == []
    assert found(name) == []


def test_an_index_is_told_with_what_it_lists(layout, cache):
    """Lambda refuses an index, also one that only adds an attestation to an image."""
    image = {**layout.manifest([BASE]), "platform": {"os": "linux", "architecture": "amd64"}}
    attestation = {**layout.manifest([]), "platform": {"os": "unknown", "architecture": "unknown"}}
    inner = layout.blob(layout.index(image, attestation), f"{OCI}.index.v1+json")
    (finding,) = lint_each(open_subjects(layout.write(inner)), cache)
    assert finding.rule == "single-manifest"
    assert "lists 2: linux/amd64 sha256:" in finding.message


def test_mixed_media_types_are_found(layout, found):
    """A Docker layer under an OCI manifest."""
    kinds = ["application/vnd.docker.image.rootfs.diff.tar.gzip"]
    assert found(layout.write(layout.manifest([BASE], kinds=kinds))) == [("media-types", "")]


@pytest.mark.parametrize("kind", ["tar", "tar+zstd"])
def test_layers_that_are_not_gzip_are_found(layout, found, kind):
    """Uncompressed layers are refused, and of zstd nothing is promised."""
    kinds = [f"{OCI}.layer.v1.{kind}"]
    assert found(layout.write(layout.manifest([BASE], kinds=kinds))) == [("layer-compression", "")]


def test_too_many_layers_are_found(layout, found):
    """128 layers are one too many."""
    layers = [BASE, *(tar((f"f{number}", "file", b"")) for number in range(127))]
    assert found(layout.write(layout.manifest(layers))) == [("layer-count", "")]


def test_a_missing_or_altered_layer_is_found(layout, found):
    """A blob whose bytes are not its digest's, and one that is not there."""
    name = layout.write(layout.manifest([BASE]))
    blob = next(one for one in (layout.folder / "blobs/sha256").iterdir() if one.read_bytes()[:2] == b"\x1f\x8b")
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    assert found(name) == [("damaged-layer", "")]
    blob.unlink()
    assert found(name) == [("damaged-layer", "")]


def test_a_layer_that_differs_from_its_diff_id_is_found(layout, found):
    """The configuration's word for a layer has to be true."""
    entry = layout.manifest([BASE])
    manifest = layout.folder / "blobs/sha256" / entry["digest"].removeprefix("sha256:")
    other = layout.manifest([tar(("other", "file", b"x"))])
    text = manifest.read_text()
    config = text.split('"config": ')[1].split("}")[0]
    lied = (layout.folder / "blobs/sha256" / other["digest"].removeprefix("sha256:")).read_text()
    mixed = text.replace(config, lied.split('"config": ')[1].split("}")[0])
    assert found(layout.write(layout.blob(mixed.encode(), f"{OCI}.manifest.v1+json"))) == [("damaged-layer", "")]


def test_sparse_entries_are_found(layout, found):
    """GNU tar's own sparse kind is no file, folder or link."""
    odd = bytearray(tar(("sparse", "file", b"")))
    odd[156:157] = b"S"
    header = bytes(odd[:148]) + b" " * 8 + bytes(odd[156:512])
    odd[148:156] = b"%06o\0 " % sum(header)
    assert found(layout.write(layout.manifest([BASE, bytes(odd)]))) == [("unsupported-entry", "")]


def test_an_image_without_certificates_is_told(layout, found):
    """TLS would fail."""
    assert found(layout.write(layout.manifest([without("etc/ssl/cert.pem")]))) == [("ca-bundle", "")]


@pytest.mark.parametrize("speaks_tls", [True, False])
def test_an_interpreter_without_ssl_needs_no_certificates(layout, found, speaks_tls):
    """A Python whose `_ssl` was left out speaks no TLS: nothing would read them."""
    modules = ["_json", *(["_ssl"] if speaks_tls else [])]
    folders = ("usr", "usr/lib", "usr/lib/python3.13", "usr/lib/python3.13/lib-dynload")
    files = [(f"{folders[-1]}/{name}.cpython-313-x86_64-linux-gnu.so", "file", b"") for name in modules]
    layer = tar(*((folder, "dir") for folder in folders), *files)
    told = found(layout.write(layout.manifest([without("etc/ssl/cert.pem"), layer])))
    assert told == ([("ca-bundle", "")] if speaks_tls else [])


def test_of_several_platforms_each_image_is_checked(layout, cache):
    """What is wrong with one says with which; what is said of all, as of the index itself, is said once."""
    arm = {**CONFIGS["environment-size"], "architecture": "arm64"}
    images = [
        {**layout.manifest([BASE], config=config), "platform": {"os": "linux", "architecture": config["architecture"]}}
        for config in (CONFIG, arm)
    ]
    told = lint_each(open_subjects(layout.write(layout.blob(layout.index(*images), f"{OCI}.index.v1+json"))), cache)
    assert [one.rule for one in told] == ["environment-size", "single-manifest"]
    assert told[0].message.endswith("(in the image for linux/arm64)")


@pytest.mark.parametrize("count", [0, 65])
def test_an_index_of_no_or_of_endless_images_is_refused(layout, count):
    """Each image would be read whole."""
    images = [layout.manifest([BASE], config={**CONFIG, "author": str(number)}) for number in range(count)]
    with pytest.raises(ImageError, match=f"lists {count or 'no'} image"):
        open_subjects(layout.write(*images))


def test_an_image_that_is_too_large_is_told_by_its_size(layout, cache, monkeypatch):
    """The limit is Lambda's; a smaller one stands in for it here."""
    monkeypatch.setattr("builder.lint.tree_rules.MAX_BYTES", 1000)
    assert [one.rule for one in lint_each(open_subjects(layout.write(layout.manifest([BASE]))), cache)] == ["size"]


@pytest.mark.parametrize(
    ("rule", "change", "words"),
    [
        ("elf-architecture", {"architecture": "arm64"}, "it is for x86_64, the image for aarch64"),
        ("elf-library", {}, "libc.so.6 is needed by it"),
    ],
)
def test_programs_that_cannot_be_loaded_are_found(layout, cache, rule, change, words):
    """A real program of this machine, in an image of another one, and in one without its libraries."""
    program = Path(shutil.which("true")).read_bytes()
    layer = tar(("bin", "dir"), ("bin/true", "file", program, {"mode": 0o755}))
    findings = lint_each(
        open_subjects(layout.write(layout.manifest([BASE, layer], config={**CONFIG, **change}))), cache
    )
    assert [one.message for one in findings if one.rule == rule and words in one.message] != []
    assert {one.rule for one in findings} == {rule}


def test_a_newer_c_library_than_the_image_has_is_found(layout, cache):
    """The C library says its version in its banner, a program the versions it needs."""
    needs = Path(shutil.which("bash")).read_bytes()  # glibc 2.34 or newer on every machine that runs this
    libc = Path("/lib/x86_64-linux-gnu/libc.so.6").resolve().read_bytes()
    at = libc.index(b"GNU C Library")
    old = libc[at : at + 120].replace(b"release version 2.3", b"release version 2.1")
    layer = tar(
        ("lib", "dir"),
        ("lib/libc.so.6", "file", libc[:at] + old + libc[at + 120 :]),
        ("lib/libtinfo.so.6", "file", b""),
        ("lib/ld-linux-x86-64.so.2", "file", b""),
        ("bin", "dir"),
        ("bin/bash", "file", needs, {"mode": 0o755}),
    )
    findings = lint_each(open_subjects(layout.write(layout.manifest([BASE, layer]))), cache)
    assert ("elf-libc", "/bin/bash") in [(one.rule, one.place) for one in findings]


def test_writes_outside_tmp_are_found_in_the_proofs_log(layout, cache):
    """The system's own words, with the path once however often it was tried."""
    log = "OSError: [Errno 30] Read-only file system: '/var/task/cache'\n" * 3
    (subject,) = open_subjects(layout.write(layout.manifest([BASE])))
    findings = lint(subject, cache, log=log)
    assert [(one.rule, one.place) for one in findings] == [("writes-outside-tmp", "/var/task/cache")]


def test_every_rule_is_tested_here():
    """No row of rules.toml is without an image that breaks it."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [rule for rule in read_rules() if f'"{rule}"' not in text] == []


def test_the_secret_itself_is_never_told(layout, cache):
    """Findings go into logs."""
    secret = "ghp_" + "a1b2" * 10
    layer = tar(("settings.py", "file", f"TOKEN = '{secret}'".encode()))
    config = with_config(Env=[f"GITHUB_TOKEN={secret}"])
    config["history"] = [{"created_by": f"RUN curl -H {secret}"}]
    findings = lint_each(open_subjects(layout.write(layout.manifest([BASE, layer], config=config))), cache)
    assert {one.rule for one in findings} == {"secret-in-file", "secret-in-environment", "secret-in-history"}
    assert secret not in repr(findings)


@pytest.mark.parametrize(
    "text", [b"AKIAIOSFODNN7EXAMPLE", b"-----BEGIN PUBLIC KEY-----", b"AKIA in a sentence", b"xoxb-"]
)
def test_examples_and_public_keys_are_no_secrets(layout, found, text):
    """The documentation's own key, and what only looks alike."""
    assert found(layout.write(layout.manifest([BASE, tar(("notes.txt", "file", text))]))) == []


@pytest.mark.parametrize(
    "value", ["DB_PASSWORD=arn:aws:secretsmanager:eu-west-1:1:secret:db", "API_KEY=", "TOKEN=true", "PASSWORD=/run/pw"]
)
def test_references_to_secrets_are_no_secrets(layout, found, value):
    """Where a secret is to be found is not the secret."""
    assert found(layout.write(layout.manifest([BASE], config=with_config(Env=[value])))) == []
