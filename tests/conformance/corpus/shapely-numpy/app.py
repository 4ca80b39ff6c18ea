"""Shapes on a plane: shapely over numpy arrays."""

import numpy as np
import shapely
from shapely import affinity, geometry, ops, wkt


def area(event):
    return geometry.Polygon(event["points"]).area


def buffered(event):
    shape = wkt.loads(event["wkt"]).buffer(1, quad_segs=2)
    return [shape.geom_type, round(shape.area, 4), shape.is_valid]


def combine(event):
    one, other = geometry.box(0, 0, 2, 2), geometry.box(1, 1, 3, 3)
    return getattr(one, event["how"])(other).area


def union(event):
    return ops.unary_union([geometry.Point(n, 0).buffer(0.6) for n in range(3)]).geom_type


def many(event):
    points = shapely.points(np.array([[0, 0], [3, 4], [6, 8]]))
    return shapely.distance(points, points[0]).tolist()


def tree(event):
    found = shapely.STRtree([geometry.box(n, 0, n + 0.5, 1) for n in range(4)])
    return sorted(found.query(geometry.box(0.8, 0, 2.2, 1)).tolist())


def moved(event):
    return [
        round(value, 3) for value in affinity.rotate(geometry.LineString([(0, 0), (2, 0)]), 90, origin=(0, 0)).bounds
    ]


def written(event):
    from shapely import wkb

    shape = geometry.shape({"type": "Point", "coordinates": [1, 2]})
    return [wkt.dumps(shape, rounding_precision=1), wkb.dumps(shape, hex=True), geometry.mapping(shape)["type"]]


def invalid(event):
    from shapely.validation import explain_validity, make_valid

    bow = geometry.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    return [explain_validity(bow).split("[")[0], make_valid(bow).geom_type]


def broken(event):
    try:
        wkt.loads("POINT (x)")
    except shapely.errors.ShapelyError as error:
        return type(error).__name__
    return None


def voronoi(event):
    points = geometry.MultiPoint([(0, 0), (1, 0), (0, 1), (1, 1)])
    return [len(ops.voronoi_diagram(points).geoms), len(ops.triangulate(points))]


def handler(event, context):
    actions = (area, buffered, combine, union, many, tree, moved, written, invalid, broken, voronoi)
    return {action.__name__: action for action in actions}[event["do"]](event)
