"""The picture is true: areas are sizes, nothing overlaps, nothing leaves its folder."""

from hypothesis import given
from hypothesis import strategies as st

from builder.report.treemap import MAX_BOXES, treemap

PATHS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map("/".join)
LAYERS = st.lists(st.dictionaries(PATHS, st.integers(1, 10**9), max_size=20), max_size=4)


def only_leaves(files):
    """A path is a file or a folder, not both."""
    return {path: size for path, size in files.items() if not any(other.startswith(f"{path}/") for other in files)}


@given(LAYERS)
def test_boxes_stay_inside_and_files_do_not_overlap(layers):
    """Within the picture, each file apart from every other."""
    boxes = treemap([only_leaves(files) for files in layers], width=900, height=500)
    slack = 0.01
    for box in boxes:
        assert -slack <= box.x <= box.x + box.width <= 900 + slack
        assert -slack <= box.y <= box.y + box.height <= 500 + slack
    files = [box for box in boxes if not box.folder]
    for number, one in enumerate(files):
        for other in files[:number]:
            apart_x = one.x + one.width <= other.x + slack or other.x + other.width <= one.x + slack
            apart_y = one.y + one.height <= other.y + slack or other.y + other.height <= one.y + slack
            assert apart_x or apart_y, (one, other)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 1000), min_size=2))
def test_areas_are_sizes(files):
    """Files of one folder share its area by size, so that the eye is not misled."""
    root, *boxes = treemap([files], width=800, height=600)
    room = sum(box.width * box.height for box in boxes)
    for box in boxes:
        if min(box.width, box.height) > 2:
            assert abs(box.width * box.height / room - box.size / root.size) < 0.05
    assert root.size == sum(files.values())


def test_a_chain_of_folders_is_one_box():
    """Nobody wants to look at usr, usr/lib and usr/lib/x one around the other."""
    boxes = treemap([{"usr/lib/x/a": 3, "usr/lib/x/b": 1}], width=800, height=600)
    assert [(box.path, box.label) for box in boxes] == [
        ("/usr/lib/x", "usr/lib/x"),
        ("/usr/lib/x/a", "a"),
        ("/usr/lib/x/b", "b"),
    ]


def test_the_picture_is_bounded():
    """Ten thousand files are drawn as far as they can be told apart, the largest first."""
    boxes = treemap([{f"{number:05}": 1 + number for number in range(10_000)}], width=3000, height=2000)
    assert len(boxes) == MAX_BOXES
    assert max(box.size for box in boxes if not box.folder) == 10_000


def test_nothing_gives_no_picture():
    """Empty layers, and files without content."""
    assert treemap([{}, {"empty": 0}], width=10, height=10) == []
