"""Several platforms in one call: an image each, under names that tell them apart."""

from pathlib import Path

import pytest

from builder.config import Config
from builder.outputs import Output
from builder.platforms import each_platform, named_outputs, named_reference, own_file, suffixed

BOTH = Config(Path(), platforms=("linux/amd64", "linux/arm64"))


@pytest.mark.parametrize(
    ("asked", "platforms"),
    [
        ((), [None]),
        (("linux/arm64",), ["linux/arm64"]),
        (("linux/arm64", "linux/amd64", "linux/arm64/v8"), ["linux/arm64", "linux/amd64"]),
    ],
)
def test_each_platform_is_built_once_in_the_order_of_asking(asked, platforms):
    assert [one.platform for one in each_platform(Config(Path(), platforms=asked))] == platforms


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        ("oci", "dist/hello", "dist/hello-arm64"),
        ("oci", "hello.tar", "hello.tar-arm64"),
        ("tar", "dist/hello.tar", "dist/hello-arm64.tar"),
        ("tar", "hello", "hello-arm64"),
        ("zip", "hello.zip", "hello-arm64.zip"),
        ("rootfs", "/tmp/root", "/tmp/root-arm64"),
        ("docker", "", ""),
    ],
)
def test_the_architecture_stands_at_the_end_of_a_name(kind, target, expected):
    assert suffixed(Output(kind, target), "arm64") == expected


def test_one_platform_changes_no_name():
    outputs, one = (Output("oci", "a"),), each_platform(Config(Path(), platforms=("linux/arm64",)))[0]
    assert named_outputs(outputs, one) == outputs
    assert named_reference("a:1", one) == "a:1"


def test_of_several_each_has_its_own():
    arm64 = each_platform(BOTH)[1]
    assert named_outputs([Output("oci", "a"), Output("docker", "")], arm64) == (
        Output("oci", "a-arm64"),
        Output("docker", ""),
    )
    assert named_reference("a:1", arm64) == "a:1-arm64"
    assert own_file(Path("report.html"), "arm64") == Path("report-arm64.html")
    assert own_file(Path("report.html"), "") == Path("report.html")
    assert own_file(None, "arm64") is None
