"""Bytes made smaller by every compressor at hand."""

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib

import snappy

TEXT = b"oak " * 1000


def ratio(event):
    kinds = {"zlib": zlib, "gzip": gzip, "bz2": bz2, "lzma": lzma, "snappy": snappy}
    kind = kinds[event["kind"]]
    small = kind.compress(TEXT)
    return [kind.decompress(small) == TEXT, len(small) < 1000]


def zipped(event):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", getattr(zipfile, event["method"])) as file:
        file.writestr("a/b.txt", TEXT)
    with zipfile.ZipFile(stream) as file:
        return [file.namelist(), file.read("a/b.txt") == TEXT, zipfile.Path(file, "a/").is_dir()]


def tarred(event):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{event['kind']}") as file:
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(TEXT)
        file.addfile(entry, io.BytesIO(TEXT))
    stream.seek(0)
    with tarfile.open(fileobj=stream) as file:
        return [file.getnames(), file.extractfile("a.txt").read() == TEXT]


def frames(event):
    made = snappy.StreamCompressor()
    return snappy.StreamDecompressor().decompress(made.add_chunk(TEXT)) == TEXT


def texts(event):
    return getattr(base64, f"{event['base']}encode")(b"cask").decode()


def broken(event):
    try:
        {"zlib": zlib.decompress, "lzma": lzma.decompress, "gzip": gzip.decompress}[event["kind"]](b"nonsense")
    except (zlib.error, lzma.LZMAError, OSError) as error:
        return type(error).__name__
    return None


def handler(event, context):
    actions = (ratio, zipped, tarred, frames, texts, broken)
    return {action.__name__: action for action in actions}[event["do"]](event)
