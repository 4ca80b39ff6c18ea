"""Large functions and full disks: memory stays flat whatever is packed; every step says that the disk is full."""

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from bench.large import peak_bytes, write_large_function
from tests.conftest import clean_environment

pytestmark = pytest.mark.root

LARGE_MB = 500
MOST_BYTES = 200_000_000


def fill(place: Path) -> None:
    """Leave no room on a disk."""
    with suppress(OSError), (place / "filling").open("wb", buffering=0) as filling:
        while filling.write(bytes(4096)):
            pass
    assert shutil.disk_usage(place).free == 0


@pytest.fixture
def full(small_disk) -> Path:
    """A folder on a disk that has no room for anything."""
    place = small_disk(64)
    fill(place)
    return place


def test_500_mb_of_dependencies_take_less_than_200_mb_of_memory(commands, cold_cache, tmp_path):
    """All processes together, while a build installs, packs, unpacks, proves, checks and writes."""
    write_large_function(tmp_path, LARGE_MB)
    command = [str(commands / "build-image"), "large", "-o", "oci:out", "--report", "report.html"]
    environment = clean_environment(BUILD_IMAGE_CACHE_DIR=str(cold_cache), UV_CACHE_DIR=str(tmp_path / "uv"))
    assert peak_bytes(command, environment=environment, folder=tmp_path) < MOST_BYTES
    manifest_at = json.loads((tmp_path / "out/index.json").read_bytes())["manifests"][0]["digest"]
    manifest = json.loads((tmp_path / "out/blobs" / manifest_at.replace(":", "/")).read_bytes())
    assert len(manifest["layers"]) == 4
    for left in (cold_cache, tmp_path / "uv"):  # a gigabyte, which pytest would keep
        shutil.rmtree(left)


def test_a_disk_that_is_full_when_dependencies_are_installed(build_image, small_disk, tmp_path):
    write_large_function(tmp_path, 40)
    place = small_disk(6000)
    done = build_image("large", "-o", "oci:out", cache=place / "cache", UV_CACHE_DIR=tmp_path / "uv")
    assert (done.code, done.out) == (6, ""), done.err
    assert "No space left on device" in done.err
    assert not (tmp_path / "out").exists()
    assert list((place / "cache/tmp").iterdir()) == []


def test_a_cache_on_a_full_disk_stops_the_first_step(build_image, function, full, tmp_path):
    """Before anything is installed or packed."""
    done = build_image(function(), "-o", "oci:out", cache=full / "cache")
    assert (done.code, done.out) == (8, ""), done.err
    assert "No space left on device" in done.err
    assert "BUILD_IMAGE_CACHE_DIR" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "name"), [("--report", "out.html"), ("--sbom", "out.json")])
def test_a_full_disk_leaves_no_half_of_a_report(build_image, function, full, tmp_path, option, name):
    """The image is written by then, and whole."""
    done = build_image(function(), "-o", "oci:out", option, full / name)
    assert done.code == 8, done.err
    assert f"{full / name}: No space left on device" in done.err
    assert [file.name for file in full.iterdir()] == ["filling"]
    assert (tmp_path / "out/index.json").exists()


def test_a_full_disk_stops_a_check(commands, build_image, function, full, tmp_path):
    assert build_image(function(), "-q", "-o", "oci:out").code == 0
    environment = clean_environment(BUILD_IMAGE_CACHE_DIR=str(full / "cache"))
    done = subprocess.run(
        [commands / "firkin", "lint", "oci:out"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (8, ""), done.stderr
    assert "No space left on device" in done.stderr


def test_a_full_disk_stops_a_zip(build_image, function, full):
    done = build_image(function(), "-o", f"zip:{full}/out.zip")
    assert (done.code, done.out) == (8, ""), done.err
    assert "No space left on device" in done.err
    assert [file.name for file in full.iterdir()] == ["filling"]


def test_a_push_needs_no_room_for_what_is_in_the_cache(build_image, function, small_disk, registry):
    """An image that was built before goes out although nothing can be written."""
    place = small_disk(100_000)
    cache = place / "cache"
    source = function()
    assert build_image(source, "-q", "--no-prove", "-o", "oci:out", cache=cache).code == 0
    fill(place)
    name = f"{registry.host}/full/disk:1"
    done = build_image(source, "--push", "-t", name, "--insecure-registry", registry.host, "--no-prove", cache=cache)
    assert done.code == 0, done.err
    assert "4 blobs uploaded" in done.err
    assert list((cache / "tmp").iterdir()) == []
