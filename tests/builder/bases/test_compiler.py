"""Who compiles the bytecode of a base, and that it is the same whoever does."""

from dataclasses import replace

import pytest

from builder.bases import Choice, choose_compiler
from builder.interpreter import Interpreter
from builder.prove import NATIVE, runner_of
from tests.bases import FOREIGN, HERE

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@pytest.fixture
def base(this_python: Interpreter):
    """Give this Python as if it were a base's, of an architecture."""
    return lambda architecture, **facts: replace(this_python, root="/base", machine=MACHINES[architecture], **facts)


def test_this_machines_python_compiles_for_itself(this_python):
    assert choose_compiler(this_python) == Choice(this_python)


def test_a_base_of_this_architecture_compiles_by_itself(base):
    """Its own Python, in the sandbox: whatever this machine has makes no difference to the bytes."""
    assert choose_compiler(base(HERE)) == Choice(None)
    assert choose_compiler(base(HERE, full_version="3.99.9")) == Choice(None)


def test_for_another_architecture_the_same_version_of_this_machine_compiles(base, this_python):
    """Bytecode does not depend on the architecture; no emulation is needed."""
    found = choose_compiler(base(FOREIGN))
    assert found.host is not None
    assert (found.host.full_version, found.host.magic) == (this_python.full_version, this_python.magic)
    assert found.warning == ""


def test_without_that_version_the_bases_own_is_emulated_or_the_lack_is_told(base):
    """A warning says what every cold start will miss, or why a digest may differ elsewhere."""
    found = choose_compiler(base(FOREIGN, full_version="3.99.9", version=(3, 99), magic="00000d0a"))
    if runner_of(FOREIGN) not in {None, NATIVE}:
        assert found == Choice(None)
    else:
        assert (found.host, found.possible) == (None, False)
        assert "without bytecode" in found.warning
        assert "install qemu-user-static or that Python" in found.warning


def test_what_compiles_decides_the_layers_key(this_python):
    """Else a layer compiled by one would be taken for the other's."""
    choices = [Choice(this_python), Choice(None), Choice(None, possible=False), Choice(replace(this_python, magic="x"))]
    assert len({choice.identity for choice in choices}) == len(choices)
