"""Every command in the docs works: the `sh` blocks of a page are run in order, in one shell, in a copy of the examples.

A comment before a block says what it needs, Docker or a program (`<!-- needs: docker -->`, `<!-- needs: skopeo -->`),
or why it is not run here (`<!-- not run … -->`).
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unavailable
from tests.ports import free_port

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", TOP / "docs" / "tutorial.md", *sorted((TOP / "docs" / "how-to").glob("*.md"))]

_BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*) -->\n)?```sh\n(?P<commands>.*?)```", re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Each block's note and commands."""
    return [(found["note"] or "", found["commands"]) for found in _BLOCK.finditer(page.read_text())]


def script(page: Path) -> str:
    """The page as one shell script, on ports and under names of its own so that pages can run at the same time."""
    wanted = [commands for note, commands in blocks(page) if not note.startswith("not run")]
    text = "set -eu\nset -m\n" + "".join(wanted)
    for port in ("8080", "9000", "5000"):
        own = free_port()
        text = text.replace(f"--port {port}", f"--port {own}").replace(f"-p {port}:", f"-p 127.0.0.1:{own}:")
        text = text.replace(f"localhost:{port}", f"localhost:{own}").replace(f"localhost/{port}", f"localhost/{own}")
        text = text.replace(f"//127.0.0.1:{port}/", f"//127.0.0.1:{own}/")
    # `firkin invoke` without --port means 8080, which the page's own function does not have here.
    port = re.search(r"firkin run \S+ --port (\d+)", text)
    return re.sub(r"firkin invoke(?!.*--port)", f"firkin invoke --port {port[1]}" if port else "firkin invoke", text)


def needs(page: Path) -> set[str]:
    """What the blocks of the page say they need."""
    return {note.partition(": ")[2].strip() for note, _ in blocks(page) if note.startswith("needs: ")}


def marked(page: Path):
    """A page as a parameter."""
    return pytest.param(page, marks=pytest.mark.docker if "docker" in needs(page) else (), id=page.stem)


@pytest.mark.network
@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
def test_the_commands_of_a_page_work(page, tmp_path, request):
    """A person who types the page from top to bottom gets no error; the tutorial's has never built before."""
    for name in needs(page):
        if name == "docker":
            request.getfixturevalue("docker")
        elif shutil.which(name) is None:
            unavailable(f"{name} is not installed: scripts/engines installs it")
    shutil.copytree(TOP / "examples", tmp_path / "examples")
    (tmp_path / "dist").mkdir()
    cache = tmp_path / ".cache/firkin"  # where the page about CI keeps it
    if page.stem != "tutorial":
        shutil.copytree(request.getfixturevalue("warm_cache"), cache, symlinks=True)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:{os.environ['PATH']}",
        "BUILD_IMAGE_CACHE_DIR": str(cache),
    }
    done = subprocess.run(
        ["bash", "-c", script(page)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_pages_have_commands():
    """The extraction finds what it should: a page that stops matching would pass unseen."""
    assert {page.stem: len(blocks(page)) for page in PAGES} == {
        "README": 6, "build-in-ci": 5, "move-from-awslambdaric": 2, "move-from-a-dockerfile": 3, "tutorial": 8,
        "when-a-build-fails": 2, "keep-what-traffic-needs": 2,
        "run-a-web-application": 1, "stream-a-response": 2, "use-another-language": 1, "write-an-async-handler": 1,
        "use-snapstart-hooks": 0, "push-to-a-registry": 7,
        "serve-http-anywhere": 2, "develop-with-hot-reload": 1, "use-extensions": 1, "serve-many-events-at-once": 2,
        "choose-a-base": 3, "find-out-what-is-in-an-image": 4, "build-for-arm64": 2, "deploy-as-a-zip": 2,
        "replace-awss-emulator": 2, "load-test-locally": 2, "when-trimming-removed-too-much": 1,
    }  # fmt: skip


def workflows() -> dict[str, str]:
    """The ready workflows by the schema that is theirs."""
    page = (TOP / "docs/how-to/build-in-ci.md").read_text()
    github, gitlab = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    return {"github-workflows": github, "gitlab-ci": gitlab}


def test_the_workflows_are_what_their_services_take(tmp_path):
    """By the schemas that GitHub's and GitLab's editors check with; no runner of theirs is asked."""
    for schema, text in workflows().items():
        (tmp_path / f"{schema}.yml").write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", f"{schema}.yml"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_the_workflows_commands_work(tmp_path, warm_cache):
    """The `build-image` lines of the ready workflows, run as they stand in a folder with a function.

    One of them with its cache where the workflow has it, in the folder, of which it is no part.
    """
    lines = [line for text in workflows().values() for line in re.findall(r"build-image .*", text)]
    assert len(lines) == 2
    for number, line in enumerate(lines):
        folder = tmp_path / str(number)
        shutil.copytree(TOP / "examples/hello", folder)
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BUILD_IMAGE_CACHE_DIR": (str(warm_cache), ".cache/firkin")[number],
            "GITHUB_ACTIONS": "true",
        }
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        assert sorted(file.name for file in (folder / "dist").iterdir()) == [
            "image.cdx.json",
            "image.tar",
            "report.html",
        ]
        assert ".cache" not in (folder / "dist/report.html").read_text()


def test_links_lead_somewhere():
    """Every relative link in the docs names a file that is there."""
    pages = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(TOP)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_index_leads_to_every_page():
    """docs/README.md, the index, names every page of the docs, and the front page leads to it."""
    docs = TOP / "docs"
    index = (docs / "README.md").read_text()
    pages = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")} - {"README.md"}
    assert pages - set(re.findall(r"\]\(([^)#\s]+)", index)) == set()
    assert "](docs/README.md)" in (TOP / "README.md").read_text()
