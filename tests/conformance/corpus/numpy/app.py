"""Arrays: the corners of numpy that load their own modules, chosen by the event."""

import io

import numpy as np


def rounded(value):
    return np.round(np.asarray(value), 6).tolist()


def total(event):
    return float(np.array(event["values"]).sum())


def linalg(event):
    matrix = np.array([[4.0, 1.0], [2.0, 3.0]])
    found = getattr(np.linalg, event["function"])(matrix)
    return rounded(sorted(np.real(found))) if event["function"] == "eigvals" else rounded(found)


def solve(event):
    return rounded(np.linalg.lstsq(np.array([[1.0, 1], [1, 2], [1, 3]]), np.array([1.0, 2, 2]), rcond=None)[0])


def fft(event):
    found = np.fft.fft(np.array([1.0, 2.0, 1.0, 0.0]))
    return [rounded(found.real), rounded(found.imag), rounded(np.fft.fftfreq(4))]


def random(event):
    generator = np.random.Generator(getattr(np.random, event["bits"])(7))
    return [generator.integers(0, 100, 5).tolist(), rounded(generator.permutation(4))]


def legacy_random(event):
    state = np.random.RandomState(3)
    return [state.randint(0, 9, 4).tolist(), rounded(state.normal(size=2))]


def polynomial(event):
    kind = getattr(np.polynomial, event["kind"])
    fitted = kind.fit(np.arange(5.0), np.arange(5.0) ** 2, 2)
    return [rounded(fitted(2.5)), len(fitted.coef), type(fitted).__name__]


def masked(event):
    values = np.ma.masked_invalid([1.0, float("nan"), 3.0])
    return [float(values.mean()), values.mask.tolist(), np.ma.compressed(values).tolist()]


def files(event):
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.arange(3), b=np.eye(2))
    stream.seek(0)
    with np.load(stream) as loaded:
        text = np.loadtxt(io.StringIO("1 2\n3 4"))
        return [sorted(loaded.files), loaded["a"].tolist(), text.tolist()]


def structured(event):
    table = np.rec.fromrecords([(1, "oak"), (2, "ash")], names="id,wood")
    return [table.wood.tolist(), int(table.id.sum()), np.char.upper(table.wood.astype(str)).tolist()]


def strings(event):
    return [np.array2string(np.array([1.5, 2.25]), precision=1), np.datetime64("2026-01-31").astype(str).item()]


def handler(event, context):
    actions = (
        total, linalg, solve, fft, random, legacy_random, polynomial, masked, files, structured, strings,
    )  # fmt: skip
    return {action.__name__: action for action in actions}[event["do"]](event)
