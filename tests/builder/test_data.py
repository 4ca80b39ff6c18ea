"""The builder's own data, in a checkout and in an installation."""

import tomllib
from pathlib import Path

import pytest

from builder import data
from builder.data import data_file, runtime_folder
from builder.errors import BuilderError


@pytest.mark.parametrize("name", ["Dockerfile.template", "images/host.toml"])
def test_the_data_is_found(name: str):
    """What the builder reads at run time is there."""
    assert data_file(name).is_file()


@pytest.mark.parametrize("package", ["bootstrap", "emulator"])
def test_the_runtimes_folders_are_found(package: str):
    """The files that are copied into images are there."""
    assert (runtime_folder(package) / "__main__.py").is_file()


def test_an_incomplete_installation_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What is missing of firkin itself is named, with both places that were looked at."""
    monkeypatch.setattr(data, "_TOP", tmp_path)
    with pytest.raises(BuilderError, match=r"looking for firkin's own nope: it is neither in .* nor in ") as caught:
        data_file("nope")
    assert (caught.value.hint, caught.value.exit_code) == ("Install firkin again.", 1)
    with pytest.raises(BuilderError, match="looking for firkin's own bootstrap: it is not in "):
        runtime_folder("bootstrap")


def test_the_host_table_is_well_formed():
    """images/host.toml holds what the planner reads: absolute paths, reasons, sonames."""
    table = tomllib.loads(data_file("images/host.toml").read_text(encoding="utf-8"))
    assert table["dlopen"] == ["libgcc_s.so.1"]
    for row in (*table["data"], *table["text"]):
        assert row["path"].startswith("/")
        assert row["why"]
    assert all(row["content"].endswith("\n") for row in table["text"])
