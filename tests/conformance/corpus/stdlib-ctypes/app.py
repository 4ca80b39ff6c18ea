"""C from Python: functions of the C library, structures, callbacks."""

import array
import ctypes
import ctypes.util
import mmap
import struct

LIBC = ctypes.CDLL(None)


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_double))


def absolute(event):
    return LIBC.abs(event["value"])


def sort(event):
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    values = (ctypes.c_int * len(event["values"]))(*event["values"])
    LIBC.qsort(values, len(values), ctypes.sizeof(ctypes.c_int), kind(lambda a, b: a[0] - b[0]))
    return list(values)


def structure(event):
    point = Point(3, 4.5)
    copy = Point.from_buffer_copy(bytes(point))
    return [copy.x, copy.y, ctypes.sizeof(Point)]


def library(event):
    loaded = ctypes.CDLL(event["name"])
    function = getattr(loaded, event["function"])
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    return function(event["value"])


def find(event):
    return ctypes.util.find_library(event["name"])


def text(event):
    LIBC.strlen.argtypes = [ctypes.c_char_p]
    return [LIBC.strlen(event["text"].encode()), ctypes.create_string_buffer(b"abc").raw.hex()]


def memory(event):
    with mmap.mmap(-1, 16) as page:
        page.write(struct.pack("<i4s", 7, b"oak!"))
        return [struct.unpack_from("<i", page)[0], array.array("B", page[4:8]).tolist()]


def missing(event):
    try:
        ctypes.CDLL("libnonesuch.so.1")
    except OSError as error:
        return "libnonesuch" in str(error)
    return None


def handler(event, context):
    actions = (absolute, sort, structure, library, find, text, memory, missing)
    return {action.__name__: action for action in actions}[event["do"]](event)
