"""`--report FILE.html|FILE.json`: one build on one page, for a person or for a program.

Renders what the build already knows; measures and decides nothing. The page is self-contained: it loads nothing.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from builder.console import megabytes
from builder.disk import disk, write_whole
from builder.errors import OutputError
from builder.plan import Plan

LARGEST = 40  # files listed on the page

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


def write_report(file: Path, result: Mapping[str, object], plan: Plan) -> None:
    """Write the report whole, or not at all; `result` is what --json prints. Raises OutputError."""
    check_report(file)
    if file.suffix == ".json":
        import orjson

        body = orjson.dumps(dict(result), option=orjson.OPT_INDENT_2)
    else:
        body = render_html(result, plan).encode()
    write_whole(file, body, f"writing the report {file}")


def render_html(result: Mapping[str, object], plan: Plan) -> str:
    """The page."""
    import jinja2

    from builder.prove import DESCRIPTIONS

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["megabytes"] = megabytes
    template = environment.from_string(Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8"))
    files = [(file.size, file.path, layer.name, file.why) for layer in plan.layers for file in layer.files]
    return template.render(
        result=result,
        colours=COLOURS,
        ways=DESCRIPTIONS,
        largest=sorted(files, reverse=True)[:LARGEST],
        dropped=Counter(why for layer in plan.layers for why in layer.dropped.values()).most_common(),
    )
