"""A gene as a walk on a plane, by squiggle, with the method that the event names."""

import squiggle


def handler(event, context):
    xs, ys = squiggle.transform(event["gene"], method=event.get("method", "squiggle"))
    return {"points": len(xs), "last": [float(xs[-1]), float(ys[-1])], "highest": float(max(ys))}
