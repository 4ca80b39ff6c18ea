"""Values and events that JSON encoders and decoders disagree about; run as a script, what awslambdaric makes of each.

Prints one JSON object: for each name what is sent, or the error's message.
"""

# ruff: noqa: SLOT000, SLOT001, UP042, PYI024  values as users have them, also without slots and by older ways

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import sys
import types
import uuid

D = decimal.Decimal


class OwnDict(dict):
    pass


class OwnList(list):
    pass


class OwnTuple(tuple):
    pass


class OwnStr(str):
    pass


class OwnInt(int):
    def __repr__(self):
        return "I!"

    __str__ = __repr__


class OwnFloat(float):
    def __repr__(self):
        return "F!"


class OwnDecimal(D):
    pass


class IntEnum(enum.IntEnum):
    A = 1


class FloatEnum(float, enum.Enum):
    A = 1.5


class StrEnum(str, enum.Enum):
    A = "a"


class AsDict:
    def _asdict(self):
        return {"x": 1}


class AsDictList(AsDict, list):
    pass


class AsDictTuple(AsDict, tuple):
    pass


class AsDictDict(AsDict, dict):
    pass


class AsDictFlag(tuple):
    _asdict = 5


class AsDictWrong:
    def _asdict(self):
        return 1


class ForJson:
    def for_json(self):
        return 1


class Items(dict):
    def items(self):
        return [("z", 1)]


Point = collections.namedtuple("Point", "x y")


class OwnPoint(Point):
    pass


@dataclasses.dataclass
class Data:
    x: int = 1


RESULTS = {
    "dict of its own": OwnDict(a=1), "ordered": collections.OrderedDict(a=1), "counter": collections.Counter("aab"),
    "default dict": collections.defaultdict(int, a=1), "list of its own": OwnList([1]), "other items": Items(a=1),
    "tuple of its own": OwnTuple((1,)), "str of its own": OwnStr("x"), "int of its own": OwnInt(5),
    "float of its own": OwnFloat(1.5), "int enum": IntEnum.A, "float enum": FloatEnum.A, "str enum": StrEnum.A,
    "as dict": AsDict(), "list as dict": AsDictList([1]), "tuple as dict": AsDictTuple((1,)),
    "dict as dict": AsDictDict(a=1), "no method": AsDictFlag((1,)), "as nested": [{"k": AsDict()}, AsDictList()],
    "for_json": ForJson(), "Decimal of its own": OwnDecimal("1.0"), "point of its own": OwnPoint(1, [2]),
    "dataclass": Data(), "datetime": dt.datetime(2020, 1, 1), "date": dt.date(2020, 1, 1),  # noqa: DTZ001
    "uuid": uuid.UUID(int=1), "fraction": fractions.Fraction(1, 2), "complex": 1j, "set": {1},
    "frozenset": frozenset([1]), "bytearray": bytearray(b"x"), "memoryview": memoryview(b"x"),
    "array": array.array("i", [1]), "range": range(3), "deque": collections.deque([1]), "keys": {}.keys(),
    "proxy": types.MappingProxyType({"a": 1}), "chain map": collections.ChainMap({"a": 1}),
    "user dict": collections.UserDict(a=1), "user list": collections.UserList([1]),
    "bytes key": {b"a": 1}, "bytes key that is no text": {b"\xff": 1}, "bytes key and point": {b"k": Point(1, 2)},
    "bytes key and Decimal": {b"k": D(1)}, "bytes key deep": [{"a": ({b"k": 1},)}], "NaN key": {float("nan"): 1},
    "infinite key": {float("inf"): 1}, "large key": {2**70: 1}, "enum key": {IntEnum.A: 1},
    "str enum key": {StrEnum.A: 1}, "str key of its own": {OwnStr("x"): 1}, "int key of its own": {OwnInt(5): 1},
    "float key of its own": {OwnFloat(1.5): 1}, "tuple key": {(1,): 1}, "None key": {None: 1},
    "keys that meet": {1: 1, "1": 2}, "line separators": "\u2028\u2029", "DEL": "\x7f\x80", "controls": "\0\x1f\x0b",
    "astral": "\U0001f600", "script": "</script>", "quotes": '"\\', "-NaN": D("-NaN"), "sNaN": D("sNaN"),
    "infinite Decimal": [D("Infinity"), D("-Infinity"), D("-0")], "Decimals": [D("1E+3"), D("1e-400"), D("3.14159")],
    "Decimals in a point": Point(D(1), [D(2)]), "floats": [1e16, 1e-7, 0.1, -0.0, 1e22, 5e-324],
    "large integers": [2**63, 2**64, -(2**70)], "nothing much": [[[]], {}, [{}], (), ""],
    "points": {"a": {"b": Point(1, Point(2, 3))}}, "points in lists": OwnList([Point(1, 2)]),
    "bytes inside": [b"a", {"b": b"\xc3\xa9"}], "bytes that are no text": [b"\xff"], "class": int, "function": len,
    "exception": ValueError("x"), "ellipsis": ..., "digits": 10**4000,
}  # fmt: skip
# Named where the two say different things; the names are the documented differences.
EVENTS = {
    "NaN": b"[NaN]", "Infinity": b"Infinity", "-Infinity": b'{"a": -Infinity}',
    **{text: text.encode() for text in (
        '{"a":1,}', "[1,]", "'x'", '"\t"', '{"a" 1}', "01", "1 2", "nul", '"\\u12"', '"\\x"', "[", "{", '{"a"',
        '{"a":', '"abc', "-", "1.", "1e", "+1", ".5", "-NaN", "1E400", '"\\ud800"', '"\\ud83d\\ude00"',
        '{"a":1,"a":2}', "  1  ", "\n", "\0", "1\0", "\ufeff1", "\ufeff\ufeff1", "true", "True", "//x", "1//x", "\xa01",
        "1\x0c", "1234567890123456789012345.5", "[1,,2]", "{1:2}", '{"a":1 "b":2}', "[1 2]", '"\x7f"', "-0",
        "-0.0", "1e5", '"\\u00zz"', '["\\/"]', '{"": {}}', "[[[[]]]]",
    )},
    "no UTF-8": b"\xff", "UTF-16": b"\xfe\xff\x001", "UTF-16 without BOM": b"1\x000", "deep": b"[" * 100_000,
}  # fmt: skip


def outcomes(marshal, unmarshal):
    """Name → what is sent and its content type, or what the handler gets, or ["error", message]."""
    found = {f"result: {name}": _outcome(lambda v=value: marshal(v)) for name, value in RESULTS.items()}
    return {
        **found,
        **{f"event: {name}": _outcome(lambda e=event: repr(unmarshal(e))) for name, event in EVENTS.items()},
    }


def _outcome(function):
    try:
        found = function()
    except Exception as error:  # noqa: BLE001  whatever an encoder raises is its outcome
        return ["error", getattr(error, "msg", str(error))]
    return found if isinstance(found, str) else [part.decode() if isinstance(part, bytes) else part for part in found]


if __name__ == "__main__":
    from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

    theirs = LambdaMarshaller()
    sys.stdout.write(json.dumps(outcomes(theirs.marshal_response, theirs.unmarshal_request)))
