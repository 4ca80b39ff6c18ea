"""Platforms are read strictly, and of those on offer the best fit is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Platform, UsageError
from builder.oci.platform import maybe_choose


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm64/v8", "windows/amd64", "linux/ppc64le", "linux/arm/v7"])
def test_a_platform_is_what_it_was_written_as(text):
    assert str(Platform.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "Linux/amd64", "linux/a md", "a/é"]
)
def test_other_text_is_refused(text):
    with pytest.raises(UsageError, match="use a name like 'linux/arm64'"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("linux/amd64", ["linux/arm64/v8", "linux/amd64"], "linux/amd64"),
        ("linux/arm64", ["linux/amd64", "linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm64/v8", ["linux/arm64/v9"], None),
        ("linux/arm", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"),
        ("linux/arm/v6", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["windows/amd64"], None),
        ("linux/amd64", [], None),
    ],
)
def test_the_best_fit_is_taken(wanted, offered, expected):
    """The variant that was asked for, else the usual one of the architecture."""
    place = maybe_choose(Platform.parse(wanted), [Platform.parse(text) for text in offered])
    assert (None if place is None else offered[place]) == expected


PLATFORMS = st.builds(
    Platform,
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm64", "arm"]),
    st.sampled_from(["", "v7", "v8"]),
)


@given(PLATFORMS, st.lists(PLATFORMS, max_size=6))
def test_a_choice_runs_and_none_means_that_nothing_does(wanted, offered):
    place = maybe_choose(wanted, offered)
    if place is None:
        assert not any(wanted.runs(platform) for platform in offered)
    else:
        assert wanted.runs(offered[place])
