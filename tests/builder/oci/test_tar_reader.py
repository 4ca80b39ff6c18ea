import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Entry, ImageError, OCIError, UnsupportedError, write_tar
from builder.oci.tar_reader import TarReader

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300)
FORMATS = st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


class Dribble:
    """A source that gives a few bytes at a time."""

    def __init__(self, data, step):
        self.data, self.step = io.BytesIO(data), step

    def read(self, size):
        return self.data.read(min(size, self.step))

    def close(self):
        pass


def read(data, step=10**6):
    reader = TarReader(Dribble(data, step), "x")
    return [(member, b"".join(reader.content())) for member in reader]


@given(TEXT, st.binary(max_size=1500), st.integers(-(10**9), 10**12), FORMATS, st.integers(1, 700))
def test_reads_what_tarfile_writes(name, content, mtime, form, step):
    """Names, contents and times of GNU and PAX archives, in any split of the bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(content), mtime, 0o751
        tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, name
        tar.addfile(link)
    (member, data), (second, _) = read(out.getvalue(), step)
    assert (member.name, member.kind, member.mode, data) == (name.encode(), "file", 0o751, content)
    assert (second.kind, second.target) == ("symlink", name.encode())
    if form == tarfile.GNU_FORMAT:
        assert member.mtime == mtime


def test_reads_what_we_write():
    """The reader is the inverse of the writer."""
    out = io.BytesIO()
    write_tar([Entry.file("a" * 200 + "/b", b"c"), Entry.directory("é", 0o700)], out)
    assert [(m.name.decode(), m.kind, m.mode, data) for m, data in read(out.getvalue())] == [
        ("a" * 200 + "/", "directory", 0o755, b""),
        ("a" * 200 + "/b", "file", 0o644, b"c"),
        ("é/", "directory", 0o700, b""),
    ]


def header(**fields):
    info = tarfile.TarInfo(fields.pop("name", "a"))
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def changed(at, value, *, sign=True):
    """Give a header with some bytes changed, its checksum made right again."""
    data = bytearray(header())
    data[at : at + len(value)] = value
    if sign:
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data)
    return bytes(data)


def pax(records):
    return header(type=b"x", size=len(records)) + records + bytes(-len(records) % 512)


@pytest.mark.parametrize(
    ("data", "error", "found"),
    [
        (b"x" * 512, ImageError, "checksum field b'xxxxxxxx' is no octal number"),
        (changed(0, b"b", sign=False), ImageError, "wrong checksum"),
        (header()[:100], ImageError, "ends in the middle of a member"),
        (header(size=10), ImageError, "ends in the middle of a member"),
        (changed(124, b"\xff" * 12), ImageError, "size -1 is out of range"),
        (changed(124, b"\x80" + b"\x7f" * 11), ImageError, "is out of range"),
        (changed(124, b"9"), ImageError, "is no octal number"),
        (header(type=b"S"), UnsupportedError, "repack it without sparse files"),
        (header(type=b"V"), UnsupportedError, "a member of type b'V'"),
        (header(type=b"x", size=2**21), ImageError, "an extended header of 2097152 bytes, more than 1048576"),
        (header(type=b"L", size=2**40), ImageError, "an extended header of"),
        (pax(b"nonsense"), ImageError, "in a PAX header is no size"),
        (pax(b"99 path=x\n"), ImageError, "malformed PAX record"),
        (pax(b"10 path=xx"), ImageError, "malformed PAX record"),
        (pax(b"0 a=b\n"), ImageError, "malformed PAX record"),
        (pax(b"9 size=x\n") + header(), ImageError, "b'x' in a PAX header is no size"),
        (pax(b"26 size=99999999999999999\n") + header(), ImageError, "ends in the middle"),
        (pax(b"22 GNU.sparse.major=1\n") + header(), UnsupportedError, "sparse"),
        (header(type=b"g", size=10) + b"10 path=x\n" + bytes(502), UnsupportedError, "global header renames"),
        (pax(b"10 path=x\n"), ImageError, "ends after an extended header"),
    ],
)
def test_refuses(data, error, found):
    """Each malformed archive is one error that says what was found."""
    with pytest.raises(error, match="reading x: ") as caught:
        read(data)
    assert found in str(caught.value)


def test_ignores_what_says_nothing():
    """Comments, times in PAX and global headers without names are passed over; the end may be missing."""
    comment = header(type=b"g", size=14) + b"14 comment=hi\n" + bytes(498)
    assert [m.name for m, _ in read(comment + pax(b"11 mtime=1\n") + header() + comment)] == [b"a"]
    assert read(b"") == read(bytes(512)) == []


@given(st.binary(max_size=1500), st.integers(0, 600), st.integers(1, 600))
def test_garbage_raises_only_our_errors(junk, at, step):
    """Any bytes, also in a well-made header, read as members or raise ImageError."""
    data = bytearray(header(size=20) + bytes(512))
    data[at : at + len(junk)] = junk
    for stream in (junk, bytes(data)):
        try:
            read(stream, step)
        except OCIError as error:
            assert isinstance(error, ImageError)  # noqa: PT017 - no error is fine too


@given(st.integers(0, 155), st.binary(max_size=12))
def test_any_field_raises_only_our_errors(at, value):
    """Fields of any content, with a right checksum, read as a member or raise ImageError."""
    try:
        read(changed(at, value) + bytes(1024))
    except OCIError as error:
        assert isinstance(error, ImageError)  # noqa: PT017 - no error is fine too
