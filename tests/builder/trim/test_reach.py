"""What is reached from a handler: one test for each mechanism, in synthetic images of a few files."""

import pytest

from builder.trim.index import script_of
from builder.trim.rules import FUNCTION


def test_an_import_keeps_the_module_and_the_packages_above_it(kept):
    """`import a.b.c` runs three files; siblings stay out."""
    files = {"task/app.py": "import a.b.c", "opt/a/__init__.py": "", "opt/a/b/__init__.py": "", "opt/a/b/c.py": ""}
    assert kept(files | {"opt/a/d.py": "", "opt/e.py": ""}) == {
        "opt/a/__init__.py",
        "opt/a/b/__init__.py",
        "opt/a/b/c.py",
    }


def test_from_keeps_submodules_and_passes_over_attributes(kept):
    """`from a import b` may mean a module or an attribute; `*` means what `__all__` names."""
    files = {"opt/a/__init__.py": "__all__ = ['c']\nx = 1", "opt/a/b.py": "", "opt/a/c.py": "", "opt/a/d.py": ""}
    assert kept({"task/app.py": "from a import b, x", **files}) == {"opt/a/__init__.py", "opt/a/b.py"}
    assert kept({"task/app.py": "from a import *", **files}) == {"opt/a/__init__.py", "opt/a/c.py"}


def test_relative_imports_are_resolved(kept):
    """One dot is the own package, two the one above; too many lead nowhere."""
    files = {
        "task/app.py": "import a.b.c",
        "opt/a/__init__.py": "",
        "opt/a/b/__init__.py": "from .d import x",
        "opt/a/b/c.py": "from .. import e\nfrom ..f import y\nfrom ..... import z",
        "opt/a/b/d.py": "", "opt/a/e.py": "", "opt/a/f.py": "", "opt/a/g.py": "",
    }  # fmt: skip
    assert kept(files) == {f"opt/a/{name}.py" for name in ("__init__", "b/__init__", "b/c", "b/d", "e", "f")}


def test_namespace_packages_need_no_init(kept):
    """Folders without `__init__.py` are packages too."""
    files = {
        "task/app.py": "from google.cloud import storage",
        "opt/google/cloud/storage/__init__.py": "from . import b",
    }
    files |= {"opt/google/cloud/storage/b.py": "", "opt/google/cloud/other.py": ""}
    assert kept(files) == {"opt/google/cloud/storage/__init__.py", "opt/google/cloud/storage/b.py"}


def test_of_two_modules_of_one_name_both_stay(kept):
    """Which of them is meant is decided by the order of the search path, at run time."""
    files = {"task/app.py": "import calendar", "task/calendar.py": "import a", "std/calendar.py": "", "opt/a.py": ""}
    assert kept(files) == {"std/calendar.py", "opt/a.py"}


@pytest.mark.parametrize(
    "source",
    [
        "import_module('p.m')", "x = 'p.m'", "x = 'p.m:attribute'", "x = 'p.m.attribute'", "import_module(f'p.{x}')",
        "import_module('p.' + x)", "optional_import('p.m')", "try:\n    import p.m\nexcept ImportError: ...",
        "import_module('p' '.m')", "NAME = 'p.m'\n__import__(NAME)", "subprocess.run([python, '-m', 'p.m'])",
    ],
)  # fmt: skip
def test_names_in_strings_reach_modules(kept, source: str):
    """However a module is named outside of an import statement."""
    assert kept({"task/app.py": source, "opt/p/__init__.py": "", "opt/p/m.py": ""}) == {
        "opt/p/__init__.py",
        "opt/p/m.py",
    }


def test_of_many_that_lead_to_a_module_the_first_by_name_is_its_reason(synthetic):
    """Strings are sets, whose order another hash seed changes; the reasons in reports and explanations stay."""
    names = [f"p.{letter}" for letter in "hgfedcba"]
    files = {"task/app.py": f"names = {names}", "opt/p/__init__.py": "", "opt/p/z.py": ""}
    files |= {f"opt/{name.replace('.', '/')}.py": "import p.z" for name in names}
    image = synthetic(files)
    assert image.reached.kept["opt/python/p/z.py"].via == "opt/python/p/a.py"


def test_a_word_is_no_name_of_the_standard_library(kept):
    """`"json"` and `"json.txt"` are words; `"json.dumps"` names what json binds; a dependency's name alone tells."""
    std = {"std/json.py": "def dumps(): ...", "std/test.py": ""}
    assert kept({"task/app.py": "x = 'json', 'json.txt', 'test.py'", **std}) == set()
    assert kept({"task/app.py": "x = 'json.dumps'", **std}) == {"std/json.py"}
    assert kept({"task/app.py": "x = 'six'", "opt/six.py": ""}) == {"opt/six.py"}
    assert kept({"task/app.py": "try_import('json')", **std}) == {"std/json.py"}


@pytest.mark.parametrize(
    "init",
    [
        "_TABLE = {'Thing': '.lazy'}\ndef __getattr__(name):\n    return import_module(_TABLE[name], __name__)",
        "_TABLE = {'Thing': ('pkg', 'lazy')}\ndef __getattr__(name):\n    return import_module(_TABLE[name])",
        "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=['lazy'])",
        "submodules = ['lazy']\ndef __getattr__(name):\n    return import_module(f'pkg.{name}')",
        "def __getattr__(name):\n    return import_module('.' + name, __name__)",
        "_import_structure = {'lazy': ['Thing']}\nsys.modules[__name__] = _LazyModule(__name__, _import_structure)",
        "for finder, name, ispkg in pkgutil.iter_modules(__path__):\n    import_module(__name__ + '.' + name)",
        "def load(name):\n    return __import__(f'{__name__}.{name}')",
    ],
)
def test_lazy_packages_keep_what_their_tables_name(kept, init: str):
    """Every common form of a package that loads its parts when they are asked for."""
    assert "opt/pkg/lazy.py" in kept({"task/app.py": "import pkg", "opt/pkg/__init__.py": init, "opt/pkg/lazy.py": ""})


def test_an_import_in_getattr_waits_for_its_name(kept):
    """`numpy.testing` is loaded by whoever writes `.testing`, and by nobody else."""
    init = "def __getattr__(name):\n    if name == 'testing':\n        import pkg.testing\n        return pkg.testing"
    files = {"opt/pkg/__init__.py": init, "opt/pkg/testing.py": ""}
    assert kept({"task/app.py": "import pkg", **files}) == {"opt/pkg/__init__.py"}
    assert "opt/pkg/testing.py" in kept({"task/app.py": "import pkg\npkg.testing.check()", **files})
    assert "opt/pkg/testing.py" in kept({"task/app.py": "import pkg\ngetattr(pkg, 'testing')", **files})
    assert "opt/pkg/testing.py" in kept(
        {"task/app.py": "import pkg, b", "opt/b.py": "from pkg import testing", **files}
    )


def test_a_computed_name_in_the_function_keeps_the_whole_function(kept):
    """`import_module(event["plugin"])` may mean any of its modules, and what they import."""
    files = {"task/app.py": "import_module(event['plugin'])", "task/plugins/one.py": "import a", "opt/a.py": ""}
    assert kept(files) == {"opt/a.py"}


def test_type_checkers_imports_and_fallbacks_stay_out(kept):
    """What only a type checker reads; and the standard library's pure stand-ins for what is there."""
    files = {"task/app.py": "import decimal\nif TYPE_CHECKING:\n    import a", "opt/a.py": "", "std/_pydecimal.py": ""}
    files["std/decimal.py"] = "try:\n    from _decimal import *\nexcept ImportError:\n    from _pydecimal import *"
    assert kept(files | {"std/_decimal.so": ""}) == {"std/decimal.py", "std/_decimal.so"}
    assert kept(files) == {"std/decimal.py", "std/_pydecimal.py"}
    files["opt/b.py"] = "try:\n    import c\nexcept ImportError:\n    import d"
    more = {"task/app.py": "import b", "opt/c.py": "", "opt/d.py": ""}
    assert kept(files | more) == {"opt/b.py", "opt/c.py", "opt/d.py"}, "a package's import may fail for another reason"


def test_extension_modules_reach_what_their_constants_name(kept):
    """Names found in a compiled file, with and without dots."""
    files = {"task/app.py": "import a._c", "opt/a/__init__.py": "", "opt/a/_c.cpython-311-x86_64-linux-gnu.so": ""}
    files |= {"opt/a/helper.py": "", "std/datetime.py": "", "std/json.py": ""}
    found = kept(files, native={"opt/a/_c.cpython-311-x86_64-linux-gnu.so": {"a.helper", "datetime"}})
    assert found >= {"opt/a/helper.py", "std/datetime.py"}
    assert "std/json.py" not in found


def test_codecs_stay_by_their_names(kept):
    """A constant keeps one codec, a computed name all of them."""
    files = {f"std/encodings/{name}.py": "" for name in ("__init__", "cp1252", "shift_jis", "utf_8")}
    assert kept({"task/app.py": "x.decode('windows-1252')", **files}) == {
        "std/encodings/__init__.py",
        "std/encodings/cp1252.py",
    }
    assert kept({"task/app.py": "x.decode(event['charset'])", **files}) == set(files)


DIST = {
    "opt/plug-1.0.dist-info/METADATA": "",
    "opt/plug-1.0.dist-info/INSTALLER": "",
    "opt/plug-1.0.dist-info/RECORD": "plug.py,,",
    "opt/plug-1.0.dist-info/entry_points.txt": "[app.plugins]\nextra = plug:make [x]\n",
    "opt/plug.py": "import deep",
    "opt/deep.py": "",
}


def test_entry_points_of_a_group_that_is_read_are_reached(synthetic):
    """Plug-ins are found through installed metadata, which therefore stays too."""
    image = synthetic({"task/app.py": "for e in entry_points(group='app.plugins'): e.load()", **DIST})
    assert image.modules() >= {"opt/plug.py", "opt/deep.py"}
    assert "opt/plug-1.0.dist-info/entry_points.txt" in image.data()
    assert synthetic({"task/app.py": "entry_points(group='other')", **DIST}).modules() == {"task/app.py"}


def test_metadata_stays_for_its_readers_and_for_scanners(synthetic):
    """A used distribution keeps what names it; an unused one what is asked for; installers' notes go."""
    notes = "opt/plug-1.0.dist-info/INSTALLER"
    used = synthetic({"task/app.py": "import plug", **DIST}).data()
    assert "opt/plug-1.0.dist-info/METADATA" in used
    assert notes not in used
    assert not synthetic({"task/app.py": "", **DIST}).data()
    assert notes in synthetic({"task/app.py": "version('Plug')", **DIST}).data()
    assert notes in synthetic({"task/app.py": "version(name)", **DIST}).data()


def test_data_stays_with_its_package(synthetic):
    """Files beside kept modules, and in folders below them that hold no modules of their own."""
    files = {"task/app.py": "import a", "opt/a/__init__.py": "", "opt/a/x.json": "", "opt/a/data/y.bin": ""}
    files |= {"opt/a/sub/__init__.py": "", "opt/a/sub/m.py": "", "opt/a/sub/z.txt": "", "opt/b/__init__.py": ""}
    files |= {"opt/a/zones/__init__.py": "", "opt/a/zones/Rome": "", "opt/b/m.py": "", "opt/b/w.txt": ""}
    data = synthetic(files).data()
    assert data == {"opt/a/x.json", "opt/a/data/y.bin", "opt/a/zones/__init__.py", "opt/a/zones/Rome"}


@pytest.mark.parametrize(
    ("handler", "reached"),
    [
        ("app.handler", {"opt/a.py"}),
        ("asgi:app.app", {"opt/a.py"}),
        ("wsgi:app.app", {"opt/a.py"}),
        ("sub/app.handler", {"opt/b.py"}),
        ("sub.app.handler", {"opt/b.py"}),
        ("exec:./tool --x", {"opt/a.py", "opt/b.py"}),
        ("exec:plug app:app", {"opt/a.py", "opt/b.py", "opt/plug.py", "opt/deep.py"}),
    ],
)
def test_every_form_of_handler_names_its_module(kept, handler: str, reached: set[str]):
    """Functions, web applications, files in folders, and commands, which may run anything of the function."""
    files = {"task/app.py": "import a", "task/sub/app.py": "import b", "opt/a.py": "", "opt/b.py": "", **DIST}
    files["opt/plug-1.0.dist-info/entry_points.txt"] = "[console_scripts]\nplug = plug:main\n"
    assert kept(files, handler=handler) == reached


@pytest.mark.parametrize("text", ["worker.py", "./jobs/worker.py", "/var/task/jobs/worker.py"])
def test_a_file_of_the_function_that_it_names_may_be_run_as_a_program(kept, text: str):
    """`subprocess.run([sys.executable, "worker.py"])`; others of the function lead to nothing."""
    files = {"task/app.py": f"RUN = {text!r}", "task/jobs/worker.py": "import a", "task/other.py": "import b"}
    assert kept(files | {"opt/a.py": "", "opt/b.py": "", "opt/worker.py": ""}) == {"opt/a.py"}


@pytest.mark.parametrize(
    ("head", "is_script"),
    [
        (b"#!/usr/bin/env python3\nimport x", True),
        (b"#!/var/lang/bin/python3.11 -S", True),
        (b"#!/bin/sh\n# python", False),
        (b"\x7fELF", False),
        (b"", False),
    ],
)
def test_a_program_that_python_runs_is_known_by_its_first_line(head: bytes, *, is_script: bool):
    """It has no name to be imported by, and imports like any module."""
    script = script_of("var/task/run.it", head)
    assert bool(script) == is_script
    assert not script or (script.path, script.package, script.scope) == ("var/task/run.it", "", FUNCTION)


def test_the_runtimes_own_closure_is_lean(kept):
    """What only the runtime reaches is read without the imports in functions of the standard library."""
    files = {"run/emulator/cli.py": "import shutil", "std/shutil.py": "import os\ndef f():\n    import tarfile"}
    files |= {"std/tarfile.py": "", "std/os.py": "", "task/app.py": ""}
    lean = {"run/emulator/cli.py", "std/shutil.py", "std/os.py"}
    assert kept(files) == lean
    assert kept(files | {"task/app.py": "import shutil"}) == lean | {"std/tarfile.py"}


ROWS = """
[[reaches]]
when = ["a.*"]
modules = ["b.*"]
files = ["opt/python/extra/**"]
why = "test"
[[optional]]
when = ["c"]
modules = ["d"]
why = "test"
[[decodes]]
when = ["c"]
why = "test"
[[unneeded]]
files = ["opt/python/a/big.bin"]
unless = ["d"]
why = "test"
[[selected]]
when = ["sdk.*"]
files = ["opt/python/sdk/data/{name}/**"]
why = "test"
"""


def test_rows_of_the_knowledge_are_followed(synthetic):
    """Each kind of row does what its name says."""
    files = {"task/app.py": "import a, c", "opt/a/__init__.py": "", "opt/a/big.bin": "", "opt/b/__init__.py": ""}
    files |= {"opt/b/m.py": "", "opt/c.py": "import d", "opt/d.py": "", "opt/extra/x": "", "std/encodings/cp037.py": ""}
    image = synthetic(files, rows=ROWS)
    assert image.modules() == {
        "task/app.py",
        "opt/a/__init__.py",
        "opt/b/__init__.py",
        "opt/b/m.py",
        "opt/c.py",
        "std/encodings/cp037.py",
    }
    assert image.data() == {"opt/extra/x"}
    assert "opt/a/big.bin" in synthetic(files | {"task/app.py": "import a, d"}, rows=ROWS).data()


@pytest.mark.parametrize(
    ("source", "services"),
    [
        ("sdk.client('s3')", {"s3"}),
        ("sdk.client(event['x'])", {"s3", "sqs"}),
        ("", set()),
        ("sdk.resource(service_name='sqs')", {"sqs"}),
    ],
)
def test_services_stay_by_their_names(synthetic, source: str, services: set[str]):
    """Only those that code asks for by a constant; a name computed at run time keeps them all."""
    files = {"opt/sdk/__init__.py": "def f(name): return session.client(name)", "task/app.py": f"import sdk\n{source}"}
    files |= {"opt/sdk/data/s3/a.json": "", "opt/sdk/data/sqs/a.json": ""}
    assert {path.split("/")[3] for path in synthetic(files, rows=ROWS).data()} == services


def test_a_chain_leads_from_the_root_to_the_module(synthetic):
    """Every kept module tells by which way it was reached."""
    image = synthetic({"task/app.py": "import a", "opt/a.py": "import b", "opt/b.py": ""})
    chain = image.reached.chain("opt/python/b.py")
    assert [path for path, _ in chain] == ["var/task/app.py", "opt/python/a.py", "opt/python/b.py"]
    assert str(chain[0][1]) == "the function's handler"
    assert str(chain[2][1]) == "imported by /opt/python/a.py"


def test_all_names_of_a_lazy_package_are_loaded_by_a_star(kept):
    """`from a import *` asks `__getattr__` for every name of `__all__`, whoever reads the package first."""
    lazy = "def __getattr__(name):\n    if name == 'b':\n        import a.b\n        return a.b\n"
    files = {"opt/a/__init__.py": lazy, "opt/a/b.py": "", "opt/c.py": "from a import *"}
    assert kept({"task/app.py": "import a", **files}) == {"opt/a/__init__.py"}
    for source in ("import c", "import a, c", "import c, a"):
        assert kept({"task/app.py": source, **files}) == {"opt/a/__init__.py", "opt/a/b.py", "opt/c.py"}


def test_a_name_that_only_the_event_knows_keeps_everything(kept):
    """The function's author alone knows what is imported by a computed name; a constant beginning narrows it down."""
    files = {"opt/a.py": "", "opt/b/__init__.py": "", "opt/b/c.py": "", "std/calendar.py": ""}
    everything = {"opt/a.py", "opt/b/__init__.py", "opt/b/c.py", "std/calendar.py"}
    assert kept({"task/app.py": "import_module(event['name'])", **files}) == everything
    narrowed = kept({"task/app.py": "import_module(f'b.{name}')", **files})
    assert narrowed == {"opt/b/__init__.py", "opt/b/c.py"}


WAITS = """
[[waits]]
when = ["a.*"]
modules = ["sql"]
asks = ["read_sql"]
why = "test"
[[waits]]
when = ["a.*"]
modules = ["docs"]
asks = ["info"]
count = false
why = "test"
[[decodes]]
when = ["mail"]
asks = ["get_payload"]
why = "test"
"""


@pytest.mark.parametrize(
    ("app", "other", "reached"),
    [
        ("import a", "import a", set()),
        ("import a, b\na.read_sql(x)", "", {"opt/sql.py"}),
        ("import a, b", "import a\na.read_sql(x)", {"opt/sql.py"}),
        ("import a, b", "x.read_sql(y)", set()),
        ("import a, b", "import a\na.info(x)", set()),
        ("import a\na.info(x)", "", {"opt/docs.py"}),
        ("import a\ngetattr(a, event['name'])()", "", {"opt/sql.py", "opt/docs.py"}),
        ("from a import *", "", {"opt/sql.py", "opt/docs.py"}),
        ("import b", "from a import *", {"opt/sql.py"}),
    ],
)
def test_an_import_waits_until_its_name_is_used(kept, app: str, other: str, reached: set[str]):
    """By the function, or by a package that knows the module; a name that is put together may be any."""
    files = {
        "task/app.py": app,
        "opt/a.py": "def read_sql():\n    import sql\ndef info():\n    import docs",
        "opt/b.py": other,
    }
    found = kept(files | {"opt/sql.py": "", "opt/docs.py": ""}, rows=WAITS)
    assert found & {"opt/sql.py", "opt/docs.py"} == reached


def test_codecs_of_data_stay_for_who_reads_such_data(kept):
    """Who imports the reader and asks for what decodes; not who uses it for something else."""
    files = {"std/mail.py": "", "std/encodings/cp037.py": "", "std/encodings/__init__.py": ""}
    assert "std/encodings/cp037.py" in kept(files | {"task/app.py": "import mail\nm.get_payload()"}, rows=WAITS)
    assert "std/encodings/cp037.py" not in kept(files | {"task/app.py": "import mail\nm.date()"}, rows=WAITS)
    assert "std/encodings/cp037.py" not in kept(
        files | {"task/app.py": "import mail, b", "opt/b.py": "x.get_payload()"}, rows=WAITS
    )


def test_six_loads_what_is_asked_of_it(kept):
    """`six.moves` names half of the standard library; only what somebody imports from there is reached."""
    files = {
        "opt/six.py": "_moved = [MovedModule('http_client', 'httplib', 'web'), MovedModule('queue', 'Queue', 'fifo')]"
    }
    files |= {"std/web.py": "", "std/fifo.py": "", "task/app.py": "from six.moves import http_client"}
    assert kept(files) == {"opt/six.py", "std/web.py"}


def test_the_standard_library_asks_no_other_package_for_names(kept):
    """`random.random` there is no use of `lazy.random`; its own lazy modules it does ask."""
    lazy = "def __getattr__(name):\n    if name == 'random':\n        import {0}"
    files = {
        "task/app.py": "import std_user, lazy, own",
        "std/std_user.py": "x.random",
        "opt/lazy.py": lazy.format("of_lazy"), "opt/of_lazy.py": "",
        "std/own.py": lazy.format("of_own"), "std/of_own.py": "",
    }  # fmt: skip
    assert kept(files) == {"std/std_user.py", "opt/lazy.py", "std/own.py", "std/of_own.py"}
    assert "opt/of_lazy.py" in kept({**files, "opt/user.py": "lazy.random", "task/app.py": "import lazy, user"})


def test_what_needs_a_package_that_is_not_there_is_optional(kept):
    """A back end for a library that nobody installed would only fail in another place."""
    row = '[[optional]]\nwhen = ["a"]\nmodules = ["a._draw"]\nunless = ["drawing"]\nwhy = "draws with drawing"'
    files = {"task/app.py": "import a", "opt/a/__init__.py": "import_module('a._draw')", "opt/a/_draw.py": ""}
    assert kept(files, rows=row) == {"opt/a/__init__.py"}
    assert "opt/a/_draw.py" in kept({**files, "opt/drawing.py": ""}, rows=row)


ASKED = '[[waits]]\nwhen = ["a"]\nmodules = ["a.b"]\nasks = ["b", "@services"]\nunless = ["deaf.*"]\nwhy = "when asked"'


@pytest.mark.parametrize(
    ("source", "loads"), [("import a\na.b", True), ("import a\na.c", False), ("import a\na.client(name)", True)]
)
def test_an_import_waits_for_a_name_or_a_trait(kept, source: str, loads: bool):  # noqa: FBT001 - of a table
    """Also one that begins as a computed name does; a package whose use of the name is known to be another is deaf."""
    files = {"task/app.py": "import user", "opt/a/__init__.py": "import_module(f'a.{x}')", "opt/a/b.py": ""}
    traits = source.replace("import a", "import a, boto3")
    assert ("opt/a/b.py" in kept({**files, "opt/user.py": traits}, rows=ASKED)) is loads
    deaf = {**files, "task/app.py": "import deaf", "opt/deaf.py": traits.replace("client", "x")}
    assert "opt/a/b.py" not in kept(deaf, rows=ASKED)


def test_words_in_the_standard_librarys_compiled_modules_can_be_told_from_names(kept):
    """`_socket` names the codec idna, which is no import of the package of that name."""
    files = {
        "task/app.py": "import _socket",
        "std/_socket.cpython-311-x86_64-linux-gnu.so": "",
        "opt/idna.py": "",
    }
    native = {"std/_socket.cpython-311-x86_64-linux-gnu.so": {"idna"}}
    row = '[[names]]\nwhen = ["_socket"]\ncount = false\nwhy = "a codec"'
    assert "opt/idna.py" in kept(files, native=native)
    assert "opt/idna.py" not in kept(files, native=native, rows=row)


def test_the_list_of_a_distributions_files_stays_for_who_reads_it(synthetic):
    """Names and versions are in the metadata; RECORD is read by `files` and its like."""
    record = "opt/plug-1.0.dist-info/RECORD"
    files = {**DIST, record: "", "opt/plug-1.0.dist-info/METADATA": "Name: plug\nVersion: 1.0\n"}
    assert record not in synthetic({"task/app.py": "version('plug')", **files}).data()
    assert record in synthetic({"task/app.py": "distribution('plug').files", **files}).data()
    assert record in synthetic({"task/app.py": "from importlib.metadata import files\nfiles('plug')", **files}).data()
    resources = "from importlib.resources import files\nfiles('plug')"
    assert record not in synthetic({"task/app.py": f"import plug\n{resources}", **files}).data()


POOL = "def __getattr__(name):\n    if name == 'Pool':\n        import pool"
COMPUTED = "import a\ngetattr(a, event['name'])()"


@pytest.mark.parametrize(
    ("app", "other", "loads"),
    [
        (COMPUTED, "import std", False),
        (f"import std\n{COMPUTED}", "", True),
        (COMPUTED, "import user", True),
        ("import a, std", "", False),
        ("import a, std\nstd.Pool()", "", True),
    ],
)
def test_a_computed_name_is_asked_only_of_what_somebody_has(kept, app: str, other: str, loads: bool):  # noqa: FBT001 - of a table
    """The function can ask what it or a dependency imports, not a module that only the standard library has."""
    files = {"task/app.py": app, "opt/a.py": "import below", "opt/user.py": "import std", "std/below.py": "import std"}
    files |= {"std/std.py": POOL, "std/pool.py": "", "task/more.py": ""}
    if other == "import user":
        files["opt/a.py"] += "\nimport user"
    assert ("std/pool.py" in kept(files)) is loads


ANYWHERE = """
[[waits]]
when = ["web"]
modules = ["tls"]
asks = ["import tls", "https"]
given = ["plain"]
anywhere = true
why = "test"
"""


@pytest.mark.parametrize(
    ("source", "loads"),
    [
        ("x.get()", False),
        ("x.https()", True),
        ("import tls", True),
        ("load_module('tls')", True),
        ("getattr(x, y)", False),
        ("from web import *", True),
    ],
)
def test_a_part_waits_for_whoever_names_it_or_imports_it(kept, source: str, loads: bool):  # noqa: FBT001 - of a table
    """`anywhere`: also in a package that gets the module from another one; "import x" is asked by who imports x."""
    web = "try:\n    import tls\nexcept ImportError: ..."
    files = {"task/app.py": "import web, b", "opt/b.py": source, "std/web.py": web, "std/tls.py": ""}
    assert "std/tls.py" in kept(files, rows=ANYWHERE)
    files["std/plain.py"] = ""
    assert ("std/tls.py" in kept(files, rows=ANYWHERE)) is loads


def test_compiled_code_asks_for_what_it_may_import(kept):
    """Its imports are among its names; what it asks them for is not read, and may be anything."""
    files = {"task/app.py": "import web, n", "opt/n.cpython-311-x86_64-linux-gnu.so": "", "std/web.py": "import tls"}
    files |= {"std/tls.py": "", "std/plain.py": ""}
    path = "opt/n.cpython-311-x86_64-linux-gnu.so"
    assert "std/tls.py" not in kept(files, rows=ANYWHERE, native={path: set()})
    assert "std/tls.py" in kept(files, rows=ANYWHERE, native={path: {"tls"}})
    assert "std/tls.py" in kept(files, rows=ANYWHERE, native={path: {"web"}})
