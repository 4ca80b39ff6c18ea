"""All rules over one image: read each layer once, stack them, check. The whole algorithm on one page."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import cast

from builder.cache import Cache, key_of
from builder.elf import Elf
from builder.lint.contents import Contents, Item, read_contents
from builder.lint.finding import Finding, sort_findings
from builder.lint.handler_rule import check_handler
from builder.lint.image_rules import check_image
from builder.lint.log_rule import check_log
from builder.lint.subject import Subject
from builder.lint.tree import Tree, stack
from builder.lint.tree_rules import MAX_BYTES, check_tree
from builder.oci import CheckedBlob, Digest, ImageError, Layer, Limits, OCIError, media_types
from builder.oci.layer_reader import Budget, LayerReader
from builder.oci.tar_reader import TarReader

# Above Lambda's own limit, so that an image that is too large is told by its size; a bomb still ends.
_LIMITS = Limits(max_entries=2_000_000, max_bytes=2 * MAX_BYTES)
_MAX_SOURCE_BYTES = 4 << 20


def lint(subject: Subject, cache: Cache, *, ignored: Sequence[str] = (), log: str = "") -> tuple[Finding, ...]:
    """Every finding about the image, the worst first; `log` is what the function wrote when it was run, if it was.

    Layers that were read before come from the cache.
    """
    findings = [*check_image(subject), *check_log(log)]
    layers = read_layers(subject, cache)
    for contents in layers:
        findings += contents.problems
    if len(layers) == len(subject.layers) and not any(one.rule == "damaged-layer" for one in findings):
        tree, more = stack(layers)
        findings += more
        findings += check_tree(tree, layers, subject.config)
        findings += check_handler(tree, subject.config, lambda path: _read(subject, tree, path))
    return sort_findings(findings, ignored=ignored)


def lint_each(subjects: Sequence[Subject], cache: Cache, *, ignored: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Every finding about several images, one for each platform; what is not said of all says of which it is."""
    each = [lint(subject, cache, ignored=ignored) for subject in subjects]
    shared = set[Finding].intersection(*map(set, each))
    told = [
        replace(one, message=f"{one.message} (in the image for {subject.config.os}/{subject.config.architecture})")
        for subject, findings in zip(subjects, each, strict=True)
        for one in findings
        if one not in shared
    ]
    return sort_findings([*shared, *told])


def read_layers(subject: Subject, cache: Cache) -> list[Contents]:
    """What is in each layer, lowest first, without those whose compression cannot be read here."""
    return [contents for layer in subject.layers if (contents := read_layer(layer, subject.open_layer, cache))]


def read_layer(layer: Layer, open_layer: Callable[[Layer], CheckedBlob], cache: Cache) -> Contents | None:
    """What is in a layer, by its diff_id; None for a compression that cannot be read here."""
    readable = _readable(layer)
    if readable is None:
        return None
    record = cache.record("lint", _key(layer.diff_id))
    if record is not None:
        return _load(record)
    try:
        with open_layer(layer) as blob:
            contents = read_contents(blob, readable, _LIMITS)
    except OCIError as error:
        return Contents(problems=[Finding("damaged-layer", str(error))])
    remember(layer.diff_id, contents, cache)
    return contents


def remember(diff_id: Digest, contents: Contents, cache: Cache) -> None:
    """Keep what was read of a layer, unless something is wrong: what is damaged here may be whole in another place."""
    if not contents.problems:
        cache.write_record("lint", _key(diff_id), _dump(contents))


def _key(diff_id: Digest) -> str:
    return key_of("lint", str(diff_id))


def _readable(layer: Layer) -> Layer | None:
    """The layer under the OCI type that says the same about its compression."""
    kind = layer.descriptor.media_type
    if kind.endswith("gzip"):
        return replace(layer, descriptor=replace(layer.descriptor, media_type=media_types.LAYER_GZIP))
    if kind.endswith((".tar", ".diff.tar")):
        return replace(layer, descriptor=replace(layer.descriptor, media_type=media_types.LAYER_TAR))
    return None


def _read(subject: Subject, tree: Tree, path: str) -> bytes:
    """One file's content, from the layer that it is from."""
    found = tree.maybe_file(path)
    layer = _readable(subject.layers[tree.layers[found]]) if found else None
    if layer is None or found is None:
        return b""
    try:
        with subject.open_layer(layer) as blob:
            tar = TarReader(LayerReader(blob, layer, Budget(_LIMITS)), str(layer.descriptor.digest))
            for member in tar:
                if member.name.strip(b"/").removeprefix(b"./").decode("utf-8", "replace") == found:
                    return b"".join(tar.content()) if member.size <= _MAX_SOURCE_BYTES else b""
    except ImageError:  # told by the layer's own finding
        return b""
    return b""


def _dump(contents: Contents) -> dict[str, object]:
    return {
        "items": [[item.path, item.kind, item.mode, item.size, item.target] for item in contents.items],
        "whiteouts": contents.whiteouts,
        "elves": {path: asdict(elf) for path, elf in contents.elves.items()},
        "glibc": contents.glibc,
        "size": contents.size,
    }


def _load(record: dict[str, object]) -> Contents:
    """What `_dump` wrote; the cache has checked that it is as it was left."""
    return Contents(
        items=[Item(*item) for item in cast("list[tuple[str, str, int, int, str]]", record["items"])],
        whiteouts=cast("list[str]", record["whiteouts"]),
        elves={path: _elf(fields) for path, fields in cast("dict[str, dict[str, object]]", record["elves"]).items()},
        glibc=tuple(cast("list[int]", record["glibc"])) if record["glibc"] else None,
        size=cast("int", record["size"]),
    )


def _elf(fields: dict[str, object]) -> Elf:
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Elf(**{**fields, **lists})  # type: ignore[arg-type]  # as written by _dump
