"""The SBOM and the provenance of a real build, against the specification's own schema and the machine's own tools."""

import json
import subprocess

import pytest

from tests.builder.attest.wheels import write_wheel
from tests.conftest import run, write_function

pytestmark = pytest.mark.xdist_group("documents")  # all of one build

PACKAGE = """\
Metadata-Version: 2.4
Name: Some_Package
Version: 1.0
License-Expression: MIT OR Apache-2.0
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory, commands, warm_cache):
    """A function with a vendored wheel, built with both documents: the folder with them, and the image's name."""
    folder = tmp_path_factory.mktemp("attest")
    wheel = write_wheel(folder / "fn", PACKAGE)
    source = write_function(folder / "fn", files={"requirements.txt": f"./{wheel.name}\n"})
    done = run(
        [
            commands / "build-image", source, "-o", f"oci:{folder}/image", "--trim", "safe", "--env", "TOKEN=hush-hush",
            "--lint-ignore", "secret-in-environment", "--sbom", folder / "sbom.json",
            "--provenance", folder / "new" / "provenance.json", "-t", "registry.example.com/shop:1",
        ],
        cache=warm_cache,
    )  # fmt: skip
    assert done.code == 0, done.err
    return folder, done.out.strip()


def read(folder, name):
    return json.loads((folder / name).read_bytes())


def test_the_sbom_is_valid(built):
    """By the schema of CycloneDX 1.6, strictly."""
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - slow to import, in every worker that collects
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    text = (built[0] / "sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_sbom_names_every_part(built):
    """Package with its licence, interpreter, runtime, and libraries with the Debian package they came from."""
    document = read(built[0], "sbom.json")
    found = {part["name"]: part for part in document["components"]}
    assert found["some-package"]["purl"] == "pkg:pypi/some-package@1.0"
    assert found["some-package"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert {"cpython", "firkin", "libc.so.6"} <= found.keys()
    digest = built[1].partition("@")[2]
    assert document["metadata"]["component"]["version"] == digest


def test_libraries_are_dpkgs(built):
    """dpkg, asked for the version of libc's package, says the same."""
    (libc,) = [part for part in read(built[0], "sbom.json")["components"] if part["name"] == "libc.so.6"]
    version = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "libc6"], check=True, capture_output=True, text=True
    ).stdout
    assert libc["version"] == version
    assert libc["purl"].startswith("pkg:deb/debian/libc6@")


def test_the_provenance_is_a_slsa_statement_about_this_image(built):
    """By the field names of in-toto's Statement v1 and SLSA's provenance v1; values of variables are not in it."""
    statement = read(built[0], "new/provenance.json")
    name, digest = built[1].split("@sha256:")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": name, "digest": {"sha256": digest}}]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["env"] == ["TOKEN"]
    assert {"name": "requirements.txt"}.items() <= definition["resolvedDependencies"][-1].items()
    assert "hush-hush" not in (built[0] / "new/provenance.json").read_text()


def test_no_path_of_this_machine_is_in_them(built):
    """They are published."""
    for name in ("sbom.json", "new/provenance.json"):
        assert str(built[0]) not in (built[0] / name).read_text()
