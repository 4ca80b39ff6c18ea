"""Algebra by sympy: what the event asks for, in the notation it names."""

import sympy
from sympy.parsing.sympy_parser import parse_expr

X = sympy.Symbol("x")


def simplify(event):
    return str(sympy.simplify(parse_expr(event["expression"])))


def calculus(event):
    return str(getattr(sympy, event["what"])(parse_expr(event["expression"]), X))


def solve(event):
    return [str(found) for found in sympy.solve(parse_expr(event["expression"]), X)]


def printed(event):
    return getattr(sympy, event["printer"])(parse_expr(event["expression"]))


def matrix(event):
    found = sympy.Matrix([[2, 1], [1, 2]])
    return sorted(str(value) for value in found.eigenvals())


def numeric(event):
    function = sympy.lambdify(X, parse_expr(event["expression"]), event.get("module", "math"))
    return round(float(function(2)), 6)


def integers(event):
    return [
        sympy.prime(event["n"]),
        sympy.factorint(event["n"] * 12) == {2: 2, 3: 1, **sympy.factorint(event["n"])},
        bool(sympy.isprime(2**31 - 1)),
    ]


def differential(event):
    y = sympy.Function("y")
    return str(sympy.dsolve(y(X).diff(X) - y(X), y(X)).rhs)


def physics(event):
    from sympy.physics import units

    return str(units.convert_to(3 * units.kilometer / units.hour, units.meter / units.second))


def logic(event):
    return str(sympy.simplify_logic(event["expression"]))


def series(event):
    return str(parse_expr(event["expression"]).series(X, 0, event.get("n", 4)))


def handler(event, context):
    actions = (simplify, calculus, solve, printed, matrix, numeric, integers, differential, physics, logic, series)
    return {action.__name__: action for action in actions}[event["do"]](event)
