"""Texts of the function that are no Python."""

from pathlib import Path

from builder.plan import How, PlannedFile
from builder.trim.index import Index, Module
from builder.trim.rules import STDLIB
from builder.trim.texts import MAX_TEXT_BYTES, codecs_of_texts

CODEC = Module("encodings.cp437", "var/lang/lib/python3.11/encodings/cp437.py", STDLIB, is_package=False)
TEMPLATE = "{{ name.encode('cp437') }} {{ name.encode('cp037') }} {{ name.encode(form) }}"


def asked(tmp_path: Path, path: str, text: str = TEMPLATE, *, size: int = 1, how: How = How.COPY) -> list[str]:
    source = tmp_path / "text"
    source.write_text(text, encoding="utf-8")
    file = PlannedFile(path, str(source), "", how=how, size=size)
    return [f"{found}, {cause}" for found, cause in codecs_of_texts([file], Index([CODEC]))]


def test_codecs_that_templates_call_for_stay(tmp_path: Path) -> None:
    """Those that there are, with the template as the reason; not of packages, of large files and of links."""
    assert asked(tmp_path, "var/task/page.html") == [f"{CODEC.path}, names the codec: /var/task/page.html"]
    assert asked(tmp_path, "var/task/page.html", "no call of encode") == []
    assert asked(tmp_path, "var/task/app.py") == []
    assert asked(tmp_path, "opt/python/a/page.html") == []
    assert asked(tmp_path, "var/task/page.html", size=MAX_TEXT_BYTES + 1) == []
    assert asked(tmp_path, "var/task/page.html", how=How.LINK) == []


def test_a_text_that_cannot_be_read_asks_for_nothing() -> None:
    """Whoever packs it tells that."""
    file = PlannedFile("var/task/page.html", "/does/not/exist", "")
    assert list(codecs_of_texts([file], Index([CODEC]))) == []
