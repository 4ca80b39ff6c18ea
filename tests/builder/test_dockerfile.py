"""A Dockerfile says what the Plan says, whatever signs are in it."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.dockerfile import quoted, render_argument, render_dockerfile, render_exec_form
from builder.plan import Plan

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
    with pytest.raises(ValueError, match="line break"):
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


def render(**parts: object) -> str:
    plan = Plan((), "amd64", "python3.11", "app.handler", **{"environment": {"A": "x y", "B": "$A"}, **parts})
    return render_dockerfile(plan, source=Path("my fn"), reference="hello:1")


def test_the_dockerfile_is_the_plan():
    text = render()
    assert 'ENV A="x y"\nENV B="\\$A"\n' in text
    assert "\nWORKDIR /var/task\n" in text
    assert '\nENTRYPOINT ["/var/lang/bin/python3.11", "-S", "/var/runtime/bootstrap/__main__.py"]\n' in text
    assert '\nCMD ["app.handler"]\n' in text
    assert "build-image 'my fn' -o rootfs:rootfs" in text


def test_it_holds_only_the_instructions_of_the_template():
    found = re.findall(r"^([A-Z]+) ", render(), re.MULTILINE)
    assert found == ["FROM", "COPY", "ENV", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"]


@pytest.mark.docker
def test_the_engine_reads_each_value_as_it_was(docker, tmp_path):
    """The Docker Engine as the independent witness of `quoted`."""
    environment = {f"V{index}": value for index, value in enumerate(HOSTILE)}
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs/file").touch()
    (tmp_path / "Dockerfile").write_text(render(environment=environment), encoding="utf-8")
    image = docker("build", "-q", str(tmp_path)).strip()
    try:
        config = json.loads(docker("image", "inspect", image))[0]["Config"]
    finally:
        docker("rmi", "-f", image)
    found = dict(variable.split("=", 1) for variable in config["Env"])
    assert {name: found[name] for name in environment} == environment
    assert config["Cmd"] == ["app.handler"]
