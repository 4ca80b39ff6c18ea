import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Digest, Entry, History, ImageConfig, ImageError, UsageError, media_types
from builder.oci.config import parse_config, render_config

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
DIFF_ID = Digest.of(b"layer")


def configs():
    return st.builds(
        ImageConfig,
        architecture=st.sampled_from(["amd64", "arm64"]),
        variant=st.sampled_from(["", "v8"]),
        entrypoint=st.lists(TEXT, max_size=3).map(tuple),
        cmd=st.lists(TEXT, max_size=3).map(tuple),
        env=st.dictionaries(TEXT.filter(lambda name: name and "=" not in name), TEXT, max_size=3),
        working_dir=TEXT,
        user=TEXT,
        labels=st.dictionaries(TEXT, TEXT, max_size=3),
        history=st.lists(st.builds(History, TEXT, comment=TEXT, empty_layer=st.just(value=True)), max_size=2).map(
            tuple
        ),
    )


@given(configs())
def test_round_trip(config):
    """What is rendered reads back as the same value, with the diff_ids beside it."""
    if config.history:
        config = ImageConfig("amd64", history=(*config.history, History("one layer")))
    assert parse_config(render_config(config, [DIFF_ID]), "x") == (config, (DIFF_ID,))


def test_the_bytes():
    """The rendered form is the specification's, sorted, without what is empty."""
    config = ImageConfig("arm64", entrypoint=("/boot",), cmd=("a.b",), env={"B": "1", "A": "2"}, variant="v8")
    assert json.loads(render_config(config, [DIFF_ID])) == {
        "architecture": "arm64",
        "variant": "v8",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/boot"], "Cmd": ["a.b"], "Env": ["B=1", "A=2"]},
        "rootfs": {"type": "layers", "diff_ids": [str(DIFF_ID)]},
    }
    assert render_config(config, []).startswith(b'{"architecture":"arm64","config":{"Cmd":')


def test_order_of_labels_does_not_matter():
    """Labels are a mapping: equal ones give equal bytes."""
    one = render_config(ImageConfig("amd64", labels={"a": "1", "b": "2"}), [])
    assert one == render_config(ImageConfig("amd64", labels={"b": "2", "a": "1"}), [])


@pytest.mark.parametrize("name", ["", "A=B"])
def test_refuses_names_of_variables(name):
    """A name that would read back as another one is refused."""
    with pytest.raises(UsageError, match=f"{name!r} cannot name an environment variable"):
        ImageConfig("amd64", env={name: "x"})


def test_history_must_match_the_layers():
    """Each layer has one entry that is not empty, or there is no history."""
    history = (History("set ENV", empty_layer=True), History("copy"))
    assert render_config(ImageConfig("amd64", history=history), [DIFF_ID])
    with pytest.raises(UsageError, match="describes 1 layers, the image has 2; give one entry for each"):
        render_config(ImageConfig("amd64", history=history), [DIFF_ID, DIFF_ID])


def test_values_cannot_change():
    """A configuration is frozen, down to its mappings, and hashable."""
    config = ImageConfig("amd64", env={"A": "1"})
    with pytest.raises(TypeError):
        config.env["A"] = "2"
    assert hash(config) == hash(ImageConfig("amd64", env={"A": "1"}))


def test_reads_what_docker_writes():
    """Unknown fields, nulls and an `Env` item without a value are no reason to refuse an image."""
    data = b'{"architecture":"amd64","os":"linux","container":"x","config":{"Entrypoint":null,"Env":["A","=","B=b=c"]},'
    data += b'"history":[{"created_by":"x","empty_layer":true}],"rootfs":{"type":"layers","diff_ids":null}}'
    config, diff_ids = parse_config(data, "x")
    assert (config.entrypoint, dict(config.env), diff_ids) == ((), {"A": "", "B": "b=c"}, ())
    assert config.history == (History("x", empty_layer=True),)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"{}", "'architecture': expected text"),
        (b'{"architecture":"amd64"}', "'os': expected text"),
        (b'{"architecture":"a","os":"l","config":[]}', "'config': expected an object"),
        (b'{"architecture":"a","os":"l","rootfs":{"diff_ids":["x"]}}', "'diff_ids': reading a digest: 'x'"),
    ],
)
def test_refuses_what_is_no_configuration(data, found):
    """The message says which field is wrong."""
    with pytest.raises(ImageError, match=f"reading x: .*{found}"):
        parse_config(data, "x")


def test_manifest(image):
    """The manifest names configuration and layers, all of one family of media types."""
    manifest = json.loads(image.manifest)
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == media_types.MANIFEST == image.descriptor.media_type
    assert manifest["config"] == image.config_descriptor.to_json()
    assert manifest["layers"] == [layer.descriptor.to_json() for layer in image.layers]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {media_types.LAYER_GZIP}
    assert image.digest == Digest.of(image.manifest) == image.descriptor.digest


def test_images_are_values(make_image):
    """The same content gives an equal image; annotations make another one."""
    entries = [Entry.file("a", b"b")]
    first, second = make_image(entries), make_image(entries)
    assert first == second
    assert (
        first.digest
        != type(first).assemble(first.config, first.layers, blobs=first.blobs, annotations={"a": "b"}).digest
    )
