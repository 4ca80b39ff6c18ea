"""Whether a base brings packages of its own."""

import pytest

from builder.bases.packages import own_packages
from builder.elf import Tree

STDLIB = "/usr/lib/python3.11"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], set()),
        (["usr/lib/python3.11/json/__init__.py"], set()),
        (["usr/lib/python3.11/site-packages/README.txt", "usr/lib/python3/dist-packages/pip/__init__.py"], set()),
        (["usr/lib/python3.11/site-packages/setuptools-65.5.0.dist-info/METADATA"], set()),
        (["usr/lib/python3.11/site-packages/company.py"], {"company.py"}),
        (["usr/lib/python3/dist-packages/boto3/__init__.py"], {"boto3"}),
        (["usr/local/lib/python3.11/dist-packages/pipes_of_ours/a.so"], {"pipes_of_ours"}),
        (["usr/lib/python3.11/site-packages/wheels.pth"], {"wheels.pth"}),
    ],
)
def test_what_does_not_come_with_python_is_the_bases_own(tmp_path, paths, names):
    """In each folder that CPython and Debian install to; pip and its like look for nobody."""
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert own_packages(Tree(tmp_path), STDLIB) == names
