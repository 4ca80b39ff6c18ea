"""The Plan as a Dockerfile, from Dockerfile.template. Renders text; never talks to a Docker Engine."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

from builder.data import data_file
from builder.plan import Plan


def render_dockerfile(plan: Plan, *, source: Path, reference: str) -> str:
    """The Dockerfile that builds the same image out of a `rootfs:` output."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the text is a Dockerfile, not HTML; `quoted` and `tojson` escape for it
    )
    environment.filters["quoted"] = quoted
    environment.filters["tojson"] = render_exec_form
    template = environment.from_string(data_file("Dockerfile.template").read_text(encoding="utf-8"))
    return template.render(
        source=render_argument(str(source)),
        reference=reference,
        environment=plan.environment,
        working_folder=plan.working_folder,
        entrypoint=plan.entrypoint,
        command=plan.command,
    )


def quoted(value: str) -> str:
    """A value of an ENV instruction that Docker takes literally: in double quotes, nothing in it expanded.

    Raises ValueError for a line break, which no Dockerfile can hold in a value.
    """
    if "\n" in value or "\r" in value:
        raise ValueError(f"rendering the Dockerfile: {value!r} has a line break, which ENV cannot hold")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def render_exec_form(arguments: Iterable[str]) -> str:
    """The arguments of ENTRYPOINT and CMD as the JSON list that Docker runs without a shell."""
    return json.dumps(list(arguments))


def render_argument(text: str) -> str:
    """A shell's argument on one line, for a comment: a line break would end the comment and begin an instruction."""
    return shlex.quote(text) if text.isprintable() else "SOURCE"
