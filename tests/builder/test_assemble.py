"""A layer is made once for its inputs, never of files that changed meanwhile, and made again when it is damaged."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.assemble import assemble
from builder.cache import Cache
from builder.errors import FunctionSyntaxError, SourceError
from builder.interpreter import observe_interpreter
from builder.layer_records import parse_layer, render_layer
from builder.listing import digest_of
from builder.oci import BlobStore, Descriptor, Digest, Layer, unpack
from builder.plan import How, Plan, PlannedFile, make_layer

DIGESTS = st.binary(max_size=8).map(Digest.of)
LAYERS = st.builds(
    Layer,
    st.builds(Descriptor, st.just("application/vnd.oci.image.layer.v1.tar+gzip"), DIGESTS, st.integers(0, 2**40)),
    DIGESTS,
    st.integers(0, 2**40),
)


@given(LAYERS)
def test_a_recorded_layer_comes_back_as_it_was(layer):
    assert parse_layer(json.loads(json.dumps(render_layer(layer)))) == layer


@given(LAYERS, st.data())
def test_a_record_that_is_none_is_no_layer(layer, data):
    """Another value or a missing key in a record is never an exception."""
    record = render_layer(layer)
    name = data.draw(st.sampled_from(sorted(record)))
    del record[name]
    assert parse_layer(record) is None
    assert parse_layer({**record, name: data.draw(st.none() | st.lists(st.text()))}) is None


class Bench:
    """A cache, a folder of sources, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.warnings: list[str] = []
        self.said: list[str] = []
        self.cache = Cache(folder / "cache", self.warnings.append)
        self.interpreter = observe_interpreter(None)
        self.folder = folder / "source"
        self.folder.mkdir()

    def file(self, name: str, text: str) -> PlannedFile:
        source = self.folder / name
        source.write_text(text)
        return PlannedFile(
            f"var/task/{name}", str(source), "the function", size=source.stat().st_size, stamp=digest_of(str(source))
        )

    def plan(self, *files: PlannedFile) -> Plan:
        layer = make_layer("function", files, python=self.interpreter.name, compiled=True)
        return Plan((layer,), "amd64", self.interpreter.name, "app.handler", {})

    def build(self, plan: Plan):
        return assemble(plan, self.interpreter, self.cache, say=self.said.append)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_equal_inputs_are_packed_once(bench):
    plan = bench.plan(bench.file("app.py", "x = 1\n"))
    first, second = bench.build(plan), bench.build(plan)
    assert first.image.digest == second.image.digest
    assert [first.layers[0].cached, second.layers[0].cached] == [False, True]
    assert len(bench.said) == 1


def test_a_damaged_blob_is_found_said_and_made_again(bench):
    plan = bench.plan(bench.file("app.py", "x = 1\n"))
    first = bench.build(plan)
    blob = BlobStore(bench.cache.blobs).path(first.layers[0].layer.descriptor.digest)
    for damage in (lambda: blob.write_bytes(b"x" * blob.stat().st_size), lambda: os.truncate(blob, 3), blob.unlink):
        bench.warnings.clear()
        damage()
        again = bench.build(plan)
        assert again.image.digest == first.image.digest
        assert not again.layers[0].cached
        assert len(bench.warnings) == 1
        assert "made again" in bench.warnings[0]


def test_a_file_that_changed_since_it_was_planned_is_refused_and_nothing_is_remembered(bench):
    plan = bench.plan(bench.file("app.py", "x = 1\n"))
    (bench.folder / "app.py").write_text("x = 2\n")
    with pytest.raises(SourceError, match="changed while it was packed"):
        bench.build(plan)
    (bench.folder / "app.py").write_text("x = 1\n")
    assert not bench.build(plan).layers[0].cached


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9.txt"), ".wh.app.py"])
def test_a_name_that_no_image_can_hold_is_the_projects_error(bench, name):
    plan = bench.plan(bench.file("app.py", "x = 1\n"), bench.file(name, "x"))
    with pytest.raises(SourceError, match="writing layer function"):
        bench.build(plan)


def test_a_handler_that_does_not_compile_is_an_error_and_another_module_is_not(bench):
    good = bench.file("app.py", "x = 1\n")
    assert bench.build(bench.plan(good, bench.file("template.py", "{{ x }} y\n"))).layers[0].files == 4
    with pytest.raises(FunctionSyntaxError, match=r"app\.py, line 2: ") as caught:
        bench.build(bench.plan(bench.file("app.py", "x = 1\ny = = 2\n")))
    assert sys.version.split()[0] in caught.value.hint


def test_a_module_that_does_not_compile_comes_as_source_where_bytecode_would_be_alone(bench, tmp_path):
    """Else nothing of it would be there, and importing it would fail for another reason than its syntax."""
    files = [bench.file("a.py", "x = 1\n"), bench.file("b.py", "{{ x }} y\n")]
    alone = [replace(file, path=f"{file.path}c", how=How.BYTECODE) for file in files]
    unpack(bench.build(bench.plan(bench.file("app.py", ""), *alone)).image, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out/var/task").glob("*.py*")} == {"a.pyc", "b.py", "app.py"}


def test_each_way_of_making_a_file_is_done(bench, tmp_path):
    """The layer unpacks to what the plan says."""
    content = PlannedFile("etc/x", "", "", How.CONTENT, content=b"text")
    link = PlannedFile("etc/y", "x", "", How.LINK)
    folder = PlannedFile("tmp", "", "", How.FOLDER, 0o1777)
    image = bench.build(bench.plan(bench.file("app.py", "x = 1\n"), content, link, folder)).image
    unpack(image, tmp_path / "out")
    assert (tmp_path / "out/etc/x").read_bytes() == b"text"
    assert (tmp_path / "out/etc/y").readlink() == Path("x")
    assert (tmp_path / "out/tmp").is_dir()
    tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
    assert (tmp_path / f"out/var/task/__pycache__/app.{tag}.pyc").is_file()
    assert image.config.history[0].created_by == "firkin: function"
