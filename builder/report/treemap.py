"""Sizes of files as a picture: rectangles whose areas are the sizes, folders around what is in them. Pure.

Source: Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000): each row is filled as long as its worst aspect ratio
becomes better.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_BOXES = 4000  # in one picture; more would be slow to draw and too small to see
_MIN_SIDE = 1.0  # smaller rectangles are drawn as part of their folder only
_HEADER = 13.0  # for a folder's name
_MIN_HEADER_WIDTH, _MIN_HEADER_HEIGHT = 40.0, 30.0
_CHAR_WIDTH = 6.2  # of the small font
_PAD = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """One rectangle: a folder or a file. `label` is cut to what fits, "" when nothing does; `layer` counts from 0."""

    x: float
    y: float
    width: float
    height: float
    path: str
    size: int
    layer: int
    folder: bool
    label: str


@dataclass(slots=True)
class _Node:
    """A folder or file, with the size of all below it."""

    name: str
    path: str
    layer: int
    size: int = 0
    children: dict[str, "_Node"] = field(default_factory=dict)


def treemap(layers: Sequence[Mapping[str, int]], *, width: float, height: float) -> list[Box]:
    """The boxes of all layers, folders before what is in them; each mapping is path → bytes, lowest layer first."""
    roots = [_tree(files, number) for number, files in enumerate(layers)]
    boxes: list[Box] = []
    waiting = list(_arrange([root for root in roots if root.size], 0.0, 0.0, width, height))
    while waiting and len(boxes) < MAX_BOXES:
        node, x, y, wide, high = waiting.pop(0)  # breadth first: what is dropped at the limit is the smallest
        if wide < _MIN_SIDE or high < _MIN_SIDE:
            continue
        boxes.append(_box(node, x, y, wide, high))
        if node.children:
            header = _HEADER if wide >= _MIN_HEADER_WIDTH and high >= _MIN_HEADER_HEIGHT else _PAD
            inner = (x + _PAD, y + header, wide - 2 * _PAD, high - header - _PAD)
            waiting += _arrange(list(node.children.values()), *inner)
    return boxes


def _tree(files: Mapping[str, int], layer: int) -> _Node:
    root = _Node("/", "/", layer)
    for path, size in files.items():
        node = root
        node.size += size
        for part in path.strip("/").split("/"):
            node = node.children.setdefault(part, _Node(part, f"{node.path.rstrip('/')}/{part}", layer))
            node.size += size
    return _shortened(root)


def _shortened(node: _Node) -> _Node:
    """Folders that hold one folder only are one box: `usr/lib/x86_64-linux-gnu`."""
    while len(node.children) == 1:
        (child,) = node.children.values()
        if not child.children:
            break
        name = child.name if node.name == "/" else f"{node.name}/{child.name}"
        node = _Node(name, child.path, child.layer, child.size, child.children)
    node.children = {name: _shortened(child) for name, child in node.children.items()}
    return node


def _box(node: _Node, x: float, y: float, width: float, height: float) -> Box:
    room = int((width - 4) / _CHAR_WIDTH)
    fits = height >= _HEADER and room >= 3  # noqa: PLR2004  fewer characters say nothing
    label = (node.name if len(node.name) <= room else node.name[: room - 1] + "…") if fits else ""
    return Box(x, y, width, height, node.path, node.size, node.layer, bool(node.children), label)


def _arrange(
    nodes: Sequence[_Node], x: float, y: float, width: float, height: float
) -> Iterable[tuple[_Node, float, float, float, float]]:
    """The nodes' rectangles that fill the given one, in the order of their sizes."""
    left = sorted((node for node in nodes if node.size), key=lambda node: (-node.size, node.path))
    total = sum(node.size for node in left)
    if width <= 0 or height <= 0 or not total:
        return
    scale = width * height / total
    while left:
        side = min(width, height)
        if side <= 0:
            return
        row = _row([node.size * scale for node in left], side)
        areas = [node.size * scale for node in left[:row]]
        thick = sum(areas) / side
        at = 0.0
        for node, area in zip(left[:row], areas, strict=True):
            length = area / thick
            if width >= height:
                yield node, x, y + at, thick, length
            else:
                yield node, x + at, y, length, thick
            at += length
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
        left = left[row:]


def _row(areas: Sequence[float], side: float) -> int:
    """How many of the areas, largest first, the next row takes."""
    best = float("inf")
    total = 0.0
    for count, area in enumerate(areas, 1):
        total += area
        worst = max(side**2 * areas[0] / total**2, total**2 / (side**2 * area))
        if worst > best:
            return count - 1
        best = worst
    return len(areas)
