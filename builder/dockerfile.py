"""The Plan as a Dockerfile, from Dockerfile.template. Renders text; never talks to a Docker Engine."""

import json
import shlex
from pathlib import Path

from builder.data import data_file
from builder.plan import Plan


def render_dockerfile(plan: Plan, *, source: Path, reference: str) -> str:
    """The Dockerfile that builds the same image out of a `rootfs:` output."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["quoted"] = quoted
    environment.filters["tojson"] = lambda value: json.dumps(list(value))
    template = environment.from_string(data_file("Dockerfile.template").read_text(encoding="utf-8"))
    return template.render(
        source=shlex.quote(str(source)),
        reference=reference,
        architecture=plan.architecture,
        environment=plan.environment,
        working_folder=plan.working_folder,
        entrypoint=plan.entrypoint,
        command=plan.command,
    )


def quoted(value: str) -> str:
    """A value of an ENV instruction that Docker takes literally: in double quotes, nothing in it expanded."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'
