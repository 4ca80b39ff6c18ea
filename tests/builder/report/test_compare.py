"""What has changed since the last report."""

from builder.report.compare import LARGEST, Build, Change, compare


def test_layers_and_files_that_came_went_or_changed_are_told():
    """The largest difference first, whatever its direction; equal files are not mentioned."""
    before = Build("a", {"old": 5, "function": 10}, {"same": 1, "gone": 500, "grown": 10})
    after = Build("b", {"function": 12}, {"same": 1, "new": 700, "grown": 11})
    layers, files = compare(before, after)
    assert layers == (Change("function", 10, 12), Change("old", 5, None))
    assert [(change.name, change.difference) for change in files] == [("new", 700), ("gone", -500), ("grown", 1)]


def test_the_list_is_bounded():
    """A new dependency brings thousands of files; twenty of them tell enough."""
    files = {f"{number}": number + 1 for number in range(100)}
    assert len(compare(Build("a", {}, {}), Build("b", {}, files))[1]) == LARGEST
