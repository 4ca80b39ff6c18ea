"""Charts without a display: formats, styles, formulas, projections and colours that the event names."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

STARTS = {
    "png": b"\x89PNG",
    "svg": b"<?xml",
    "pdf": b"%PDF",
    "jpg": b"\xff\xd8",
    "ps": b"%!PS",
    "eps": b"%!PS",
    "webp": b"RIFF",
    "svgz": b"\x1f\x8b",
    "raw": b"",
    "tif": b"II",
}


def saved(figure, form):
    stream = io.BytesIO()
    figure.savefig(stream, format=form, metadata={} if form in {"png", "svg", "pdf"} else None)
    plt.close(figure)
    return stream.getvalue()


def line(event):
    figure, axes = plt.subplots(figsize=(2, 2), dpi=50)
    axes.plot(event["values"])
    axes.set_title(event.get("title", "casks"))
    return saved(figure, event["format"]).startswith(STARTS[event["format"]])


def styled(event):
    with plt.style.context(event["style"]):
        figure, axes = plt.subplots(figsize=(2, 2), dpi=50)
        axes.bar([1, 2], [3, 4])
        return len(saved(figure, "png")) > 500


def kind(event):
    figure = plt.figure(figsize=(2, 2), dpi=50)
    axes = figure.add_subplot(projection=event.get("projection"))
    getattr(axes, event["kind"])(*event["arguments"])
    return [axes.name, len(saved(figure, "png")) > 500]


def colors(event):
    figure, axes = plt.subplots(figsize=(2, 2), dpi=50)
    drawn = axes.imshow(np.arange(4).reshape(2, 2), cmap=event["map"])
    figure.colorbar(drawn)
    saved(figure, "png")
    return [round(float(value), 3) for value in mpl.colormaps[event["map"]](0.5)]


def dates(event):
    import datetime as dt

    from matplotlib import dates as mdates

    figure, axes = plt.subplots(figsize=(3, 2), dpi=50)
    axes.plot([dt.date(2026, 1, day) for day in (1, 2, 3)], [1, 2, 3])
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%d.%m."))
    figure.autofmt_xdate()
    saved(figure, "png")
    return [label.get_text() for label in axes.get_xticklabels()][:1]


def backend(event):
    plt.switch_backend(event["backend"])
    figure, axes = plt.subplots()
    axes.text(0.5, 0.5, "oak", fontfamily=event.get("family", "sans-serif"))
    figure.canvas.draw()
    plt.close(figure)
    return mpl.get_backend().lower()


def animate(event):
    import tempfile
    from pathlib import Path

    from matplotlib.animation import FuncAnimation

    figure, axes = plt.subplots(figsize=(1, 1), dpi=40)
    (drawn,) = axes.plot([0, 1])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.gif")
        FuncAnimation(figure, lambda n: drawn.set_ydata([0, n]), frames=2).save(file, writer="pillow")
        plt.close(figure)
        return file.read_bytes()[:3].decode()


def handler(event, context):
    actions = (line, styled, kind, colors, dates, backend, animate)
    return {action.__name__: action for action in actions}[event["do"]](event)
