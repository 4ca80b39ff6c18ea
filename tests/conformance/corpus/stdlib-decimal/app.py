"""Exact numbers, and the small modules that calculate."""

import decimal
import fractions
import random
import statistics


def divide(event):
    with decimal.localcontext(decimal.Context(prec=event.get("digits", 28))):
        return str(decimal.Decimal(event["a"]) / decimal.Decimal(event["b"]))


def rounded(event):
    return str(decimal.Decimal(event["a"]).quantize(decimal.Decimal("0.01"), getattr(decimal, event["how"])))


def trapped(event):
    try:
        return str(decimal.Decimal(event["a"]).sqrt())
    except decimal.InvalidOperation as error:
        return type(error).__name__


def formatted(event):
    return format(decimal.Decimal(event["a"]), event["format"])


def pure(event):
    import importlib

    other = importlib.import_module(event["module"])
    return [str(other.Decimal("0.1") + other.Decimal("0.2")), str(fractions.Fraction("0.75"))]


def summary(event):
    return [getattr(statistics, name)(event["values"]) for name in event["names"]]


def chance(event):
    return [random.Random(5).randint(1, 100), random.Random(5).choices("abc", k=3)]


def handler(event, context):
    actions = (divide, rounded, trapped, formatted, pure, summary, chance)
    return {action.__name__: action for action in actions}[event["do"]](event)
