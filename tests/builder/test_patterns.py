"""The pattern language, against Docker's documented examples, Go's rules, and two independent witnesses."""

import re

import pytest
from docker.utils.build import PatternMatcher
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.patterns import MAX_GLUED, MAX_PATTERN_CHARS, Patterns

# (pattern, path, whether it matches). The first block are the examples of Docker's reference.
TABLE = [
    ("*/temp*", "somedir/temporary.txt", True),
    ("*/temp*", "somedir/temp", True),
    ("*/temp*", "temp", False),
    ("*/*/temp*", "somedir/subdir/temporary.txt", True),
    ("*/*/temp*", "somedir/temporary.txt", False),
    ("temp?", "tempa", True),
    ("temp?", "temp", False),
    ("temp?", "a/tempa", False),
    ("**/*.go", "main.go", True),
    ("**/*.go", "a/b/main.go", True),
    ("*.md", "README.md", True),
    ("*.md", "docs/README.md", False),
    ("/foo/bar", "foo/bar", True),
    ("foo/bar", "foo/bar", True),
    ("foo/", "foo", True),
    # A folder covers what is below it, whatever the names.
    ("node_modules", "node_modules/a/b.js", True),
    ("node_modules", "node_modules/line\nbreak", True),
    ("node_modules", "node_modules2", False),
    ("*", "a/b/c", True),
    ("a/b", "a", False),
    # Two stars.
    ("**", "a", True),
    ("**", "a/b", True),
    ("a/**", "a", False),
    ("a/**", "a/b/c", True),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "a/xb", False),
    ("**/a/**/b/**/c", "x/a/y/b/z/c", True),
    ("**/a/**/b/**/c", "x/b/y/a/z/c", False),
    ("**/**/x", "x", True),
    ("***/x", "a/x", True),
    ("**.log", "a/b.log", True),
    ("**.log", "b.log", True),
    ("ab**", "abc/d", True),
    ("a**b", "ab", True),
    ("a**b", "ax/b", True),
    ("a**b", "axb", False),
    # One star stays within a part, and several find their places.
    ("a*c", "abc", True),
    ("a*c", "a/c", False),
    ("*a*b*c", "xaxbxbxc", True),
    ("*a*b*c", "xaxcxb", False),
    # Classes and escapes, after Go's path.Match.
    ("[a-c]", "b", True),
    ("[a-c]", "d", False),
    ("[^a-c]", "d", True),
    ("[^a-c]", "b", False),
    ("[^a]b", "/b", False),
    ("[!a]", "!", True),
    ("[!a]", "b", False),
    (r"[\]]", "]", True),
    (r"[\-a]", "-", True),
    ("[.-0]", "/", False),
    ("[&~|]", "~", True),
    (r"\*", "*", True),
    (r"\*", "a", False),
    (r"\!a", "!a", True),
    ("a.b", "axb", False),
    ("a+(b)$", "a+(b)$", True),
    # Go's filepath.Clean.
    ("a/../b", "b", True),
    ("./a//b/.", "a/b", True),
    ("/../a", "a", True),
    (".", "a", False),
    ("/", "a", False),
    ("a/..", "a", False),
    # Comments and blanks.
    ("#a", "#a", False),
    (" #a", "#a", True),
    (r"\#a", "#a", True),
    ("  a  ", "a", True),
    ("", "a", False),
    ("! a", "a", False),
    ("größe/*", "größe/x", True),
    ("?", "\udcff", True),
]


@pytest.mark.parametrize(("pattern", "path", "matches"), TABLE)
def test_one_pattern_matches_what_docker_says(pattern: str, path: str, *, matches: bool):
    """A pattern alone covers exactly the paths that Docker's documentation and Go's rules give it."""
    assert Patterns([pattern]).match(path) is matches


@pytest.mark.parametrize(
    ("lines", "path", "matches"),
    [
        (["*.md", "!README.md"], "README.md", False),
        (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
        (["*.md", "README-secret.md", "!README*.md"], "README-secret.md", False),
        (["a", "!a/b"], "a/b/c", False),
        (["a", "!a/b"], "a/c", True),
        (["!a", "a"], "a", True),
        (["**", "!app.py"], "app.py", False),
    ],
)
def test_the_last_match_wins(lines: list[str], path: str, *, matches: bool):
    """Patterns are read in order and a later one overrules an earlier one, in both directions."""
    assert Patterns(lines).match(path) is matches


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("!", "nothing follows the '!'"),
        ("[", "a '[' is not closed"),
        ("[]", "holds no characters"),
        ("[]a]", "holds no characters"),
        ("[a-]", "half a range"),
        ("[-a]", "half a range"),
        ("[z-a]", "bad character range"),
        ("a\\", "ends in a"),
        ("../a", "leads out of the folder"),
        ("a/../../b", "leads out of the folder"),
        ("!../a", "leads out of the folder"),
        ("x" * (MAX_PATTERN_CHARS + 1), "more than 4096 characters"),
        ("a**" * (MAX_GLUED + 2) + "b", "glued to text"),
    ],
)
def test_what_is_no_pattern_is_refused(line: str, says: str):
    """A line that cannot mean what its writer meant is an error that shows the line, its place and the reason."""
    with pytest.raises(SourceError, match=re.escape(says)) as caught:
        Patterns([line], origin="/f/.dockerignore").match("a")
    assert "reading /f/.dockerignore: " in str(caught.value)
    assert repr(line[:200]) in str(caught.value)
    assert "relative to the folder" in caught.value.hint


@pytest.mark.parametrize(
    ("lines", "folder", "may"),
    [
        (["a", "!a/b"], "a", True),
        (["a", "!a/b/c"], "a/b", True),
        (["a", "!a/b/c"], "a/x", False),
        (["a", "!**/keep"], "a", True),
        (["a", "!a*/keep"], "ab", True),
        (["node_modules", "!events/**/*.py"], "node_modules", False),
        (["a"], "a", False),
    ],
)
def test_only_folders_that_an_exception_could_reach_are_looked_into(lines: list[str], folder: str, *, may: bool):
    """`may_take_back` is false for a folder where no `!` pattern can match: a node_modules need not be walked."""
    assert Patterns(lines).may_take_back(folder) is may


PARTS = st.text("ab.", min_size=1, max_size=3).filter(lambda part: part not in (".", ".."))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
WILD_PARTS = st.one_of(
    st.just("**"), st.text("ab.*?", min_size=1, max_size=4).filter(lambda p: "**" not in p and p not in (".", ".."))
)
WILD = st.lists(WILD_PARTS, min_size=1, max_size=4).map("/".join)
LINES = st.lists(st.tuples(st.booleans(), WILD).map(lambda pair: "!" * pair[0] + pair[1]), min_size=1, max_size=4)


@given(LINES, PATHS)
def test_agrees_with_the_docker_sdk(lines: list[str], path: str):
    """The matcher of Docker's own Python SDK gives the same answer, asked about every folder above the path too."""

    def witness() -> bool:
        answer = False
        parts = path.split("/")
        for line in lines:
            matcher = PatternMatcher([line.removeprefix("!")])
            if any(matcher.matches("/".join(parts[:depth])) for depth in range(1, len(parts) + 1)):
                answer = not line.startswith("!")
        return answer

    assert Patterns(lines).match(path) is witness()


def by_definition(pattern: list[str], path: list[str]) -> bool:
    """Whether the parts match, straight from the definition: slow, and without a regular expression."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return by_definition(pattern[1:], path) or (bool(path) and by_definition(pattern, path[1:]))
    return bool(path) and one_part(pattern[0], path[0]) and by_definition(pattern[1:], path[1:])


def one_part(pattern: str, part: str) -> bool:
    if not pattern:
        return not part
    if pattern[0] == "*":
        return one_part(pattern[1:], part) or (bool(part) and one_part(pattern, part[1:]))
    return bool(part) and pattern[0] in ("?", part[0]) and one_part(pattern[1:], part[1:])


@given(WILD, PATHS)
def test_agrees_with_the_definition(pattern: str, path: str):
    """The regular expressions, with their never-try-again groups, match what a plain recursive reading matches."""
    parts = path.split("/")
    expected = any(by_definition(pattern.split("/"), parts[:depth]) for depth in range(1, len(parts) + 1))
    if pattern.endswith("/**"):  # what is below, and never the folder itself
        head = pattern.split("/")
        expected = any(by_definition([*head, "?*"], parts[:depth]) for depth in range(1, len(parts) + 1))
    assert Patterns([pattern]).match(path) is expected


@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_any_text_is_a_pattern_or_a_source_error(line: str, path: str):
    """Garbage is matched or refused, never anything else, and never changes its mind."""
    try:
        assert Patterns([line]).match(path) is Patterns([line]).match(path)
    except SourceError as error:
        assert repr(line.strip()[:200]) in str(error)  # noqa: PT017 - both outcomes are right, one has a message


@pytest.mark.parametrize("pattern", ["*a" * 100 + "b", "**/a/" * 100 + "b", "**/" + "*a" * 50 + "/**/b", "a**b**c"])
def test_many_wildcards_stay_cheap(pattern: str):
    """A pattern made to be slow is answered; without atomic groups these take hours (the timeout would tell)."""
    assert not Patterns([pattern]).match("a/" * 100 + "a" * 200 + "/x")
