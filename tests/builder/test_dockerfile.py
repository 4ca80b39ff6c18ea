"""A Dockerfile says what the Plan says, whatever signs are in it."""

import inspect
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.config import Config
from builder.dockerfile import quoted, render_argument, render_dockerfile, render_exec_form
from builder.errors import SourceError
from builder.plan import Plan, PlannedLayer

ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"))
HOSTILE = [
    "",
    "a",
    "a b",
    "$HOME",
    "${HOME}",
    "\\",
    "\\\\",
    '"',
    "'",
    "a\\$b",
    '\\"',
    "`",
    "# x",
    "tab\there",
    "é",
    "$$",
    "\\n",
]


def unquoted(text: str) -> str:
    """What Docker makes of a double-quoted word: processDoubleQuote of its shell lexer, shell/lex.go."""
    assert text[0] == text[-1] == '"'
    out, rest = "", text[1:-1]
    while rest:
        char, rest = rest[0], rest[1:]
        assert char not in '"$', "the word would end, or a variable begin"
        if char == "\\" and rest and rest[0] in '"$\\':
            char, rest = rest[0], rest[1:]
        out += char
    return out


@given(ONE_LINE)
def test_docker_reads_a_quoted_value_as_it_was(value):
    assert unquoted(quoted(value)) == value


@pytest.mark.parametrize("value", ["a\nRUN evil", "\r", "a\n"])
def test_a_value_that_would_begin_an_instruction_is_refused(value):
    with pytest.raises(SourceError, match="line break"):
        quoted(value)


@given(st.lists(st.text()))
def test_the_exec_form_is_one_line_of_json(arguments):
    text = render_exec_form(arguments)
    assert json.loads(text) == arguments
    assert text.isascii()
    assert "\n" not in text


@given(st.text())
def test_a_folders_name_stays_in_its_comment(name):
    assert len(render_argument(name).splitlines()) == 1


def render(*, prepared: bool = True, base: str = "scratch", config: Config | None = None, **parts: object) -> str:
    layers = (PlannedLayer("runtime", ()), PlannedLayer("function", ()))
    plan = Plan(layers, "amd64", "python3.11", "app.handler", **{"environment": {"A": "x y", "B": "$A"}, **parts})
    config = config or Config(Path("my fn"))
    return render_dockerfile(plan, config, reference="hello:1", python="3.11.7", prepared=prepared, base=base)


def test_the_dockerfile_is_the_plan():
    text = render(labels={"a b": "c"})
    assert 'ENV A="x y"\nENV B="\\$A"\nLABEL "a b"="c"\n' in text
    assert "\nCOPY runtime/ /\n" in text
    assert "\nWORKDIR /var/task\n" in text
    assert '\nENTRYPOINT ["/var/lang/bin/python3.11", "-S", "/var/runtime/bootstrap/__main__.py"]\n' in text
    assert '\nCMD ["app.handler"]\n' in text


def instructions(text: str) -> list[str]:
    return re.findall(r"^([A-Z]+) ", text, re.MULTILINE)


def test_it_holds_only_the_instructions_of_the_template():
    assert instructions(render()) == ["FROM", "COPY", "COPY", "ENV", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"]


def test_the_one_to_commit_builds_itself_in_a_stage_of_its_own():
    """Cache mounts, the same options as here, and layers taken from that stage; on a base, both are FROM it."""
    config = Config(Path("my fn"), trim="safe", keep=("a b",), events=("events/x.json",))
    text = render(prepared=False, config=config)
    assert "syntax=" not in text.splitlines()[0], "no parser is asked of a registry"
    assert text.count("RUN --mount=type=cache,target=/root/.cache") == 2
    assert "build-image . --trim safe --keep 'a b' --event events/x.json -o layers:/layers\n" in text
    assert "\nCOPY --from=build /layers/function/ /\n" in text
    assert re.findall(r"(?m)^FROM (.*)$", text) == ["python:3.11.7-slim AS build", "scratch"]
    pinned = "example.com/python@sha256:" + "1" * 64
    assert re.findall(r"(?m)^FROM (.*)$", render(prepared=False, base=pinned)) == [f"{pinned} AS build", pinned]


@given(ONE_LINE, ONE_LINE, st.text(min_size=1, max_size=20))
def test_no_value_injects_an_instruction(value, label, option):
    """Whatever stands in variables, labels and options, the instructions are those of the template."""
    config = Config(Path(option), keep=(option,), drop=(value,))
    for prepared in (True, False):
        usual = instructions(render(prepared=prepared, labels={"a": "b"}))
        text = render(prepared=prepared, config=config, environment={"A": value, "B": "1"}, labels={label: value})
        assert instructions(text) == usual


@pytest.mark.parametrize("name", ["a b", "", "x\ny", "1", "é"])
def test_a_variable_that_docker_could_not_read_is_refused(name):
    with pytest.raises(SourceError, match="cannot name a variable"):
        render(environment={name: "x"})


def test_a_project_may_bring_its_own_template(tmp_path):
    """With the same variables; what is wrong with it is told with its name and line."""
    config = Config(tmp_path, template="my.template")
    with pytest.raises(SourceError, match=r"my\.template.*No such file"):
        render(config=config)
    (tmp_path / "my.template").write_text("FROM {{ base }}\nUSER 1\n")
    assert render(config=config) == "FROM scratch\nUSER 1\n"
    (tmp_path / "my.template").write_text("FROM {{ base }}\n{{ absent }}\n")
    with pytest.raises(SourceError, match="'absent' is undefined"):
        render(config=config)
    (tmp_path / "my.template").write_text("a\n{% if %}")
    with pytest.raises(SourceError, match=r"my\.template, line 2"):
        render(config=config)


def test_every_variable_of_a_template_is_documented():
    """The reference lists what `render_dockerfile` hands over, and no more."""
    source = inspect.getsource(render_dockerfile)
    call = source[source.index(".render(") : source.index("except jinja2")]
    given = set(re.findall(r"^            (\w+)=", call, re.MULTILINE))
    page = (Path(__file__).parents[2] / "docs/reference/dockerfile-template.md").read_text()
    assert set(re.findall(r"(?m)^\| `(\w+)` ", page)) == given


@pytest.mark.docker
def test_the_engine_reads_each_value_as_it_was(docker, tmp_path):
    """The Docker Engine as the independent witness of `quoted`."""
    environment = {f"V{index}": value for index, value in enumerate(HOSTILE)}
    for layer in ("runtime", "function"):
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "file").touch()
    (tmp_path / "Dockerfile").write_text(render(environment=environment), encoding="utf-8")
    image = docker("build", "-q", str(tmp_path)).strip()
    try:
        config = json.loads(docker("image", "inspect", image))[0]["Config"]
    finally:
        docker("rmi", "-f", image)
    found = dict(variable.split("=", 1) for variable in config["Env"])
    assert {name: found[name] for name in environment} == environment
    assert config["Cmd"] == ["app.handler"]
