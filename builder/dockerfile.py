"""The Plan as a Dockerfile, from Dockerfile.template or the project's own. Renders text; never talks to an engine.

In two forms. `prepared` is for the engine: a folder for each layer is in the context already. The other is for people
to commit: its first stage runs `build-image` itself, so that Docker is all that is needed.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from builder.config import Config
from builder.data import data_file
from builder.errors import SourceError
from builder.plan import Plan

SCRATCH = "scratch"

_COMMENTS: Mapping[str, str] = {
    "interpreter": "The interpreter, its standard library and shared libraries; changes with the Python version.",
    "runtime": "What talks to Lambda; changes with firkin.",
    "dependencies": "The function's dependencies; changes with the lock.",
    "function": "The function; changes with every edit.",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # of a variable, as Docker's parser takes it without quotes


@dataclass(frozen=True, slots=True)
class LayerStep:
    """One COPY: the folder's name and what it holds."""

    name: str
    comment: str


def render_dockerfile(
    plan: Plan, config: Config, *, reference: str, python: str, prepared: bool, base: str = SCRATCH
) -> str:
    """The Dockerfile of the plan; `base` is what the last stage is FROM, `python` the interpreter's full version.

    Raises SourceError for a template that cannot be read or rendered, and for a value that no Dockerfile can hold.
    """
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 - the text is a Dockerfile, not HTML; `quoted` and `tojson` escape for it
    )
    environment.filters["quoted"] = quoted
    environment.filters["tojson"] = render_exec_form
    named, text = _template(config)
    try:
        return environment.from_string(text).render(
            prepared=prepared,
            source=render_argument(str(config.source)),
            reference=reference,
            firkin=version("firkin"),
            python_image=base if base != SCRATCH and not prepared else f"python:{python}-slim",
            command_line=render_command(config),
            base=base,
            layers=[LayerStep(layer.name, _COMMENTS.get(layer.name, layer.name)) for layer in plan.layers],
            environment=_checked(plan.environment),
            labels=plan.labels,
            working_folder=plan.working_folder,
            entrypoint=plan.entrypoint,
            command=plan.command,
        )
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        raise SourceError(
            f"rendering {named}{f', line {line}' if line else ''}: {error}",
            hint="What a template may use is in docs/reference/dockerfile-template.md.",
        ) from None


def _template(config: Config) -> tuple[str, str]:
    """The template's name and text: the project's own, or ours."""
    if config.template is None:
        return "Dockerfile.template", data_file("Dockerfile.template").read_text(encoding="utf-8")
    file = config.source / config.template
    try:
        return config.template, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"reading the template {config.template!r}: {getattr(error, 'strerror', None) or error}",
            hint="Name a file in the function's folder, in UTF-8.",
        ) from None


def _checked(environment: Mapping[str, str]) -> Mapping[str, str]:
    for name in environment:
        if not _NAME.fullmatch(name):
            raise SourceError(
                f"rendering the Dockerfile: {name!r} cannot name a variable there",
                hint="Use letters, digits and underscores, or --engine oci.",
            )
    return environment


def render_command(config: Config) -> str:
    """The `build-image` of the first stage: what was asked for on the command line and decides the image."""
    lists = {"--keep": config.keep, "--drop": config.drop, "--event": config.events}
    lists |= {"--lint-ignore": config.lint_ignore}
    options = [("--trim", config.trim), *(("--handler", one) for one in [config.handler] if one)]
    options += [(name, one) for name, values in lists.items() for one in values]
    words = ["build-image", ".", *(word for option in options for word in option)]
    words += [] if config.prove else ["--no-prove"]
    return " ".join(render_argument(word) for word in [*words, "-o", "layers:/layers"])


def quoted(value: str) -> str:
    """A value of an ENV or LABEL instruction that Docker takes literally: in double quotes, nothing in it expanded.

    Raises SourceError for a line break, which no Dockerfile can hold in a value.
    """
    if "\n" in value or "\r" in value:
        raise SourceError(
            f"rendering the Dockerfile: {value!r} has a line break, which ENV and LABEL cannot hold",
            hint="Take it out, or use --engine oci.",
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def render_exec_form(arguments: Iterable[str]) -> str:
    """The arguments of ENTRYPOINT and CMD as the JSON list that Docker runs without a shell."""
    return json.dumps(list(arguments))


def render_argument(text: str) -> str:
    """A shell's argument on one line: a line break would end a comment or a command and begin an instruction."""
    return shlex.quote(text) if text.isprintable() else "SOURCE"
