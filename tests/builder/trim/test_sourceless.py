"""Which modules come as bytecode alone: what only the runtime needs, and at `traced` what reads no source."""

from builder.trim.sourceless import sourceless

RUNTIME = {"run/bootstrap/__main__.py": "import lean", "run/bootstrap/loop.py": "", "run/emulator/__init__.py": ""}
FILES = {
    **RUNTIME,
    "task/app.py": "import shared, a.b",
    "std/lean.py": "import os",
    "std/os.py": "",
    "std/shared.py": "",
    "opt/a/__init__.py": "",
    "opt/a/b.py": "",
    "opt/unused.py": "",
}
OF_RUNTIME = {"run/bootstrap/loop.py", "std/lean.py"}


def bare(made, *asked: str, traced: bool = False) -> set[str]:
    short = {path: name for name, path in made.paths.items()}
    found = sourceless(made.index.by_path.values(), made.reached, {made.paths[name] for name in asked}, traced=traced)
    return {short[path] for path in found}


def test_what_only_the_runtime_needs_comes_without_source(synthetic):
    """Scripts, what is loaded by its path, and what the function reaches keep theirs."""
    assert bare(synthetic(FILES)) == OF_RUNTIME


def test_what_was_asked_for_keeps_its_source(synthetic):
    """A person who names a file in keep, and a proof that puts one back, mean the text."""
    assert bare(synthetic(FILES), "std/lean.py") == OF_RUNTIME - {"std/lean.py"}


def test_traced_libraries_come_without_source_but_never_the_function(synthetic):
    """What is not in the image at all is no question."""
    made = synthetic(FILES)
    assert bare(made, traced=True) == {*OF_RUNTIME, "std/shared.py", "opt/a/__init__.py", "opt/a/b.py"}


def test_a_package_that_reads_sources_keeps_its_own(synthetic):
    """Anyio finds out by its own source what to import when; of other packages nothing is known to be read."""
    files = {**FILES, "opt/a/b.py": "import inspect, c\ninspect.getsource(c)", "opt/c.py": ""}
    assert bare(synthetic(files), traced=True) == {*OF_RUNTIME, "std/shared.py", "opt/c.py"}


def test_a_function_that_reads_sources_keeps_all_that_it_reaches(synthetic):
    """It may read any; what only the runtime needs it does not reach."""
    files = {**FILES, "task/app.py": "import shared, a.b\nfrom inspect import getsource"}
    assert bare(synthetic(files), traced=True) == OF_RUNTIME


def test_a_package_of_which_it_is_known_that_it_reads_only_the_functions_sources(synthetic):
    """A row of the knowledge with `count = false`."""
    row = '[[sources]]\nwhen = ["a.*"]\ncount = false\nwhy = "reads the function\'s"\n'
    files = {**FILES, "opt/a/b.py": "import inspect\ninspect.getsource"}
    assert "opt/a/b.py" in bare(synthetic(files, rows=row), traced=True)
