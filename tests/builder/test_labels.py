"""Labels come from the project's table, from git's history of the folder alone, and from the command line."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.labels import PREFIX, git_labels, image_labels, parse_pairs, project_labels, public_url

IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True, env={**os.environ, **IDENTITY}
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with a function in a folder of its own, committed."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "git@git.example.com:team/shop.git")
    (tmp_path / "fn").mkdir()
    (tmp_path / "fn" / "app.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "function")
    return tmp_path


def test_the_projects_table_gives_the_standard_labels():
    """Names as in the OCI specification; what is no text is left out."""
    project = {
        "name": "shop",
        "version": "1.2",
        "description": "two\nlines",
        "license": "MIT",
        "authors": [{"name": "Ada", "email": "ada@example.com"}, {"name": "Bo"}],
        "urls": {"Homepage": "https://shop.example.com", "Repository": "https://git.example.com/shop"},
    }
    assert project_labels({"project": project}) == {
        f"{PREFIX}title": "shop",
        f"{PREFIX}version": "1.2",
        f"{PREFIX}description": "two lines",
        f"{PREFIX}licenses": "MIT",
        f"{PREFIX}authors": "Ada <ada@example.com>, Bo",
        f"{PREFIX}url": "https://shop.example.com",
        f"{PREFIX}source": "https://git.example.com/shop",
    }


@pytest.mark.parametrize(
    "table", [{}, {"project": 1}, {"project": {"name": 1, "authors": "x", "urls": [], "license": {"text": "long"}}}]
)
def test_what_the_table_does_not_say_is_no_label(table):
    """Missing and wrongly typed values."""
    assert project_labels(table) == {}


def test_git_tells_the_last_commit_of_the_folder(repository):
    """A commit elsewhere changes nothing, so that the image stays the same."""
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "other.txt").write_text("x")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "elsewhere")
    assert git_labels(repository / "fn", os.environ) == {
        f"{PREFIX}revision": commit,
        f"{PREFIX}source": "https://git.example.com/team/shop",
    }


@pytest.mark.parametrize("name", ["app.py", "new.py"])
def test_a_changed_folder_has_no_revision(repository, name):
    """No commit holds what is being built."""
    (repository / "fn" / name).write_text("x = 2\n")
    assert git_labels(repository / "fn", os.environ) == {}


def test_a_repository_cannot_run_a_program(repository):
    """Its own settings may name one for git to run; building reads a repository and trusts it no further."""
    program = repository / "evil"
    program.write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    git_labels(repository / "fn", os.environ)
    assert not (repository / "ran").exists()


def test_without_git_there_are_no_labels_of_it(repository, tmp_path):
    """No program, no repository, a damaged one."""
    assert git_labels(repository / "fn", {"PATH": "/nowhere"}) == {}
    (repository / ".git" / "HEAD").write_text("damaged")
    assert git_labels(repository / "fn", os.environ) == {}


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("https://user:secret@git.example.com/a/b.git", "https://git.example.com/a/b"),
        ("git@git.example.com:a/b.git", "https://git.example.com/a/b"),
        ("ssh://git@git.example.com/a/b", "https://git.example.com/a/b"),
        ("/srv/git/a.git", ""),
        ("../a", ""),
        ("", ""),
    ],
)
def test_the_address_is_a_browsers_and_holds_no_credentials(origin, url):
    """A folder of this machine is nobody's address."""
    assert public_url(origin) == url


@given(st.text(max_size=80))
def test_no_origin_gives_credentials_away(text):
    """Whatever stands before an @ of the host's part is gone."""
    assert "hunter2" not in public_url(f"https://{text.replace('/', '')}:hunter2@git.example.com/a")


def test_asked_labels_come_last_and_an_empty_one_takes_a_label_away(tmp_path):
    """The caller decides."""
    pyproject = {"project": {"name": "shop", "version": "1"}}
    asked = [f"{PREFIX}title=Shop", f"{PREFIX}version=", "team=a=b"]
    assert image_labels(tmp_path, pyproject, asked, environment={}) == {f"{PREFIX}title": "Shop", "team": "a=b"}


@pytest.mark.parametrize("text", ["", "novalue", "=x", "a\nb=x", "a=\0"])
def test_what_is_no_pair_is_told(text):
    """The message shows what was given, and an example."""
    with pytest.raises(SourceError, match="is not NAME=VALUE") as told:
        parse_pairs([text], "a label")
    assert "TEAM=payments" in told.value.hint
