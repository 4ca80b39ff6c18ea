"""Which architectures run here is read from the kernel's list, in the kernel's own words."""

import platform
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.prove.foreign import BINFMT, NATIVE, runner_of, takes
from tests.conftest import elsewhere, unavailable

QEMU = """enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00"
FOREIGN = "amd64" if platform.machine() == "aarch64" else "arm64"


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    """A folder as the kernel's, with an emulator for the architecture that is not this machine's."""
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    (tmp_path / "python3.11").write_text(
        "enabled\ninterpreter /usr/bin/python3.11\nflags: \noffset 0\nmagic a70d0d0a\n"
    )
    machine = {"amd64": "3e00", "arm64": "b700"}[FOREIGN]
    (tmp_path / "qemu").write_text(QEMU.replace("b700", machine))
    return tmp_path


def test_this_machines_own_architecture_needs_no_emulator(tmp_path):
    here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    assert runner_of(here, entries=tmp_path) == NATIVE


def test_another_one_runs_through_what_the_kernel_knows(entries):
    assert runner_of(FOREIGN, entries=entries) == "qemu"
    assert runner_of("s390x", entries=entries) is None


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("status", lambda text: "disabled\n"),
        ("qemu", lambda text: text.replace("enabled", "disabled")),
        ("qemu", lambda text: text.replace("POF", "PO")),
        ("qemu", lambda text: text.replace("magic 7f", "magic 7e")),
        ("qemu", lambda text: text.replace("magic 7f", "magic xx")),
        ("qemu", lambda text: text.replace("offset 0", "offset 4")),
        ("qemu", lambda text: ""),
    ],
)
def test_an_emulator_that_is_off_or_not_for_sandboxes_does_not_count(entries, file, change):
    """Without F the kernel looks for the emulator inside the image, where it is not."""
    (entries / file).write_text(change((entries / file).read_text()))
    assert runner_of(FOREIGN, entries=entries) is None


def test_a_kernel_without_the_list_has_no_emulators(tmp_path):
    assert runner_of(FOREIGN, entries=tmp_path / "nothing") is None


@given(st.text(max_size=200), st.binary(max_size=30))
def test_any_text_is_no_reason_to_fail(text, head):
    assert takes(text, head) in {True, False}


def test_the_kernels_own_words_are_understood():
    """The emulator that scripts/engines registers is seen, if this kernel lets it."""
    if not (BINFMT / "qemu-aarch64").exists():
        if platform.machine() == "aarch64" or not BINFMT.exists():
            elsewhere("its kernel knows no emulator for arm64")
        unavailable("no emulator for arm64 is registered: scripts/engines does it")
    assert takes((BINFMT / "qemu-aarch64").read_text(), ARM64)
