"""What an image takes over from its base's configuration."""

import pytest

from builder.bases.inherit import inherited_environment, inherited_labels, inherited_user
from builder.oci import ImageConfig

AWS = {
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64",
    "LANG": "en_US.UTF-8",
    "TZ": ":/etc/localtime",
    "LAMBDA_TASK_ROOT": "/somewhere",
}


def test_a_kept_bases_environment_stands_but_for_what_the_runtime_needs():
    """Its PATH comes first, its libraries' path and time zone stay, the function's folder is ours."""
    found = inherited_environment(ImageConfig("amd64", env=AWS), kept=True)
    assert found["PATH"].split(":")[:5] == AWS["PATH"].split(":")
    assert found["PATH"].endswith("/opt/python/bin")
    assert len(set(found["PATH"].split(":"))) == len(found["PATH"].split(":"))
    assert {name: found[name] for name in ("LD_LIBRARY_PATH", "LANG", "TZ")} == {
        name: AWS[name] for name in ("LD_LIBRARY_PATH", "LANG", "TZ")
    }
    assert (found["LAMBDA_TASK_ROOT"], found["LAMBDA_RUNTIME_DIR"]) == ("/var/task", "/var/runtime")


def test_of_a_flattened_base_what_names_its_places_goes():
    """Its folders are not there, and how its Python was made is nobody's business."""
    theirs = {**AWS, "PYTHON_VERSION": "3.13.1", "GPG_KEY": "0", "PYTHONPATH": "/x", "COMPANY": "yes"}
    found = inherited_environment(ImageConfig("amd64", env=theirs), kept=False)
    assert found["PATH"].startswith("/var/lang/bin:")
    assert found["COMPANY"] == "yes"
    assert found["TZ"] == ":/etc/localtime"
    assert not {"LD_LIBRARY_PATH", "PYTHON_VERSION", "GPG_KEY", "PYTHONPATH"} & found.keys()


def test_a_base_without_an_environment_gets_ours():
    assert inherited_environment(ImageConfig("amd64"), kept=True)["PATH"].startswith("/var/lang/bin:/usr/local/bin")


@pytest.mark.parametrize(
    ("user", "kept", "flattened"),
    [("", "", ""), ("nonroot", "nonroot", ""), ("65532:65532", "65532:65532", "65532:65532")],
)
def test_a_user_stays_where_its_name_is_known(user, kept, flattened):
    config = ImageConfig("amd64", user=user)
    assert inherited_user(config, kept=True) == kept
    assert inherited_user(config, kept=False) == flattened


def test_labels_that_describe_the_base_would_be_wrong_for_the_image():
    labels = {"vendor": "x", "org.opencontainers.image.title": "base", "org.opencontainers.image.revision": "1"}
    assert inherited_labels(ImageConfig("amd64", labels=labels)) == {"vendor": "x"}
