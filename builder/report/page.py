"""`--report FILE.html|FILE.json`: one build on one page, for a person or for a program.

Renders what was found out; measures and decides nothing. The page is self-contained: it loads nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from builder.console import megabytes
from builder.disk import disk, write_whole
from builder.errors import OutputError
from builder.plan import Plan
from builder.program import render_json
from builder.report.compare import Build, Change, compare
from builder.report.import_time import slowest, total_us
from builder.report.treemap import treemap

if TYPE_CHECKING:
    from builder.report.observe import Facts

LARGEST = 40  # files listed on the page
SLOWEST = 25  # modules listed on the page
PICTURE = (960, 560)  # the treemap's width and height

# One colour for each layer, bottom first; told apart also in greys.
COLOURS = ("#31572c", "#90a955", "#e09f3e", "#9e2a2b")


def check_report(file: Path) -> None:
    """Refuse a report of an unknown kind before the build starts. Raises OutputError."""
    if file.suffix not in (".html", ".json"):
        raise OutputError(
            f"reading --report {str(file)!r}: it ends in neither .html nor .json", hint="For example report.html."
        )
    if file.is_file() and not _is_report(file):
        raise OutputError(f"writing the report {file}: another file is there", hint="Name a new file.")


def _is_report(file: Path) -> bool:
    """Whether a file is a report of an earlier build, which may be replaced: both kinds name the image at their top."""
    with disk(f"reading {file}"), file.open("rb") as opened:
        head = opened.read(1024)
    return head.startswith(b"<!doctype html>") or b'"config_digest"' in head


def write_report(file: Path, result: Mapping[str, object], plan: Plan, facts: "Facts") -> None:
    """Write the report whole, or not at all; `result` is what --json prints. Raises OutputError."""
    check_report(file)
    if file.suffix == ".json":
        body = render_json({**result, **describe_facts(result, facts)})
    else:
        body = render_html(result, plan, facts).encode("utf-8", "replace")
    write_whole(file, body, f"writing the report {file}")


def describe_facts(result: Mapping[str, object], facts: "Facts") -> dict[str, object]:
    """What the report knows beyond the result, for programs."""
    layers, files = _changes(result, facts)
    return {
        "imports": [asdict(one) for one in facts.imports],
        "before": facts.before and facts.before.image,
        "changes": {"layers": [asdict(one) for one in layers], "files": [asdict(one) for one in files]},
    }


def render_html(result: Mapping[str, object], plan: Plan, facts: "Facts") -> str:
    """The page."""
    import jinja2

    from builder.prove import DESCRIPTIONS

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["megabytes"] = megabytes
    environment.filters["milliseconds"] = lambda us: f"{us / 1000:.1f} ms"
    template = environment.from_string(Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8"))
    why = {file.path: file.why for layer in plan.layers for file in layer.files}
    names = [layer.name for layer in plan.layers]
    files = [
        (size, path, name, why.get(path, ""))
        for name, layer in zip(names, facts.files, strict=False)  # a layer that could not be read has none
        for path, size in layer.items()
    ]
    layers, changed = _changes(result, facts)
    return template.render(
        result=result,
        colours=COLOURS,
        ways=DESCRIPTIONS,
        picture=PICTURE,
        boxes=treemap(facts.files, width=PICTURE[0], height=PICTURE[1]),
        largest=sorted(files, reverse=True)[:LARGEST],
        dropped=Counter(why for layer in plan.layers for why in layer.dropped.values()).most_common(),
        imports=slowest(facts.imports, SLOWEST),
        modules=len(facts.imports),
        total_us=total_us(facts.imports),
        before=facts.before,
        changed_layers=layers,
        changed_files=changed,
    )


def _changes(result: Mapping[str, object], facts: "Facts") -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    if facts.before is None:
        return (), ()
    layers = cast("list[dict[str, object]]", result["layers"])
    sizes = {str(layer["name"]): cast("int", layer["size"]) for layer in layers}
    files = {path: size for layer in facts.files for path, size in layer.items()}
    return compare(facts.before, Build(str(result["image"]), sizes, files))
