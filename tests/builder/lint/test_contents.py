"""A layer is read to its end whatever is in it: what is wrong becomes a finding."""

import gzip
import io
import sys
from itertools import accumulate, pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from builder.elf import read_elf
from builder.lint.contents import Contents, Reading, read_contents
from builder.oci import Descriptor, Digest, Layer, Limits, media_types
from builder.oci.tar_reader import Member
from tests.builder.lint.conftest import CLEAN, tar

GOOD = tar(*CLEAN)


def read(data: bytes, *, plain: bytes, limits: Limits | None = None):
    layer = Layer(Descriptor(media_types.LAYER_GZIP, Digest.of(data), len(data)), Digest.of(plain))
    return read_contents(io.BytesIO(data), layer, limits or Limits(1000, 1 << 20))


@given(st.binary(max_size=2000))
def test_garbage_is_a_damaged_layer(garbage):
    """Neither as it is nor compressed does garbage raise; only an empty tar is nothing to complain of."""
    for data in (garbage, gzip.compress(garbage, 1)):
        contents = read(data, plain=b"other")
        assert {one.rule for one in contents.problems} & {"damaged-layer", "unsupported-entry"}


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_altered_byte_is_noticed(at, value):
    """The diff_id tells."""
    altered = bytearray(GOOD)
    altered[at] = value
    contents = read(gzip.compress(bytes(altered), 1), plain=GOOD)
    assert bool(contents.problems) == (bytes(altered) != GOOD)


def test_a_bomb_ends_at_the_limit():
    """A megabyte of zeros in a kilobyte, against a limit of half of it."""
    bomb = tar(("zeros", "file", bytes(1 << 20)))
    contents = read(gzip.compress(bomb), plain=bomb, limits=Limits(1000, 1 << 19))
    assert [one.rule for one in contents.problems] == ["damaged-layer"]
    assert "uncompressed" in contents.problems[0].message


def test_many_faults_of_a_kind_are_told_in_a_few_lines():
    """Twenty and a word about the others."""
    many = tar(*((f"missing{number}/file", "file", b"") for number in range(100)))
    contents = read(gzip.compress(many), plain=many)
    assert len(contents.problems) == 21
    assert "and more" in contents.problems[-1].message


@given(st.lists(st.integers(1, 9000), max_size=6))
def test_an_elf_file_is_known_however_it_is_cut(cuts):
    """Who decompresses gives pieces of any size; all of them are passed on."""
    program = Path(sys.executable).resolve().read_bytes()
    member = Member(b"program", "file", 0o755, len(program), 0, b"")
    pieces = [program[start:end] for start, end in pairwise([0, *accumulate(cuts), len(program)]) if end > start]
    contents = Contents()
    assert b"".join(Reading(contents).take(member, iter(pieces))) == program
    assert contents.elves == {"program": read_elf(Path(sys.executable).resolve())}
    assert [item.path for item in contents.items] == ["program"]
