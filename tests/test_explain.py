"""`firkin explain` on built images: in a layout, an archive, an engine, and on a machine that did not build them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, run

CODE = "import helper\n\ndef handler(event, context):\n    return helper.TEXT\n"


@pytest.fixture
def built(build_image: Run, function: Callable[..., Path], tmp_path: Path) -> Path:
    """A function's image as a layout and an archive in the folder that is given back."""
    source = function(CODE, files={"helper.py": "TEXT = 1\n", "unused.py": ""})
    outputs = ["-o", f"oci:{tmp_path}/oci", "-o", f"tar:{tmp_path}/image.tar"]
    done = build_image(source, "--drop", "unused.py", "-t", "firkin-explained", *outputs)
    assert done.code == 0, done.err
    return tmp_path


def test_a_file_and_a_missing_one_are_explained_wherever_the_image_is(built, commands, warm_cache) -> None:
    """Layout and archive give the same answer: the layer and the reason, or the rule."""
    answers = set()
    for image in (f"oci:{built}/oci", f"tar:{built}/image.tar"):
        there = run([commands / "firkin", "explain", image, "helper"], cache=warm_cache)
        gone = run([commands / "firkin", "explain", image, "unused"], cache=warm_cache)
        assert (there.code, gone.code) == (0, 0), there.err + gone.err
        answers.add((there.out, gone.out))
    ((there_out, gone_out),) = answers
    assert there_out.startswith("var/task/helper.py\n  in layer function\n")
    assert gone_out.startswith("var/task/unused.py is not in the image\n  left out: asked for with drop\n  to put")
    assert "take what drops 'unused.py' out of drop" in gone_out


def test_another_machine_knows_what_the_image_says(built, commands, tmp_path) -> None:
    """Without the cache of the build: the layer, the rule of what was left out, and that more is known elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    there = run([commands / "firkin", "explain", f"oci:{built}/oci", "helper", "--json"], cache=elsewhere)
    (answer,) = json.loads(there.out)["answers"]
    assert answer["reason"][0] == "in layer function"
    assert "only the machine that built it knows" in answer["reason"][1]
    gone = run([commands / "firkin", "explain", f"oci:{built}/oci", "unused"], cache=elsewhere)
    assert "left out: asked for with drop" in gone.out


@pytest.mark.docker
def test_an_image_of_the_engine_is_named_as_there(built, commands, warm_cache, docker) -> None:
    """The engine keeps the configuration's digest, by which the reasons are found."""
    docker("load", "--input", f"{built}/image.tar")
    try:
        done = run([commands / "firkin", "explain", "firkin-explained", "unused"], cache=warm_cache)
        assert "left out: asked for with drop" in done.out, done.err
    finally:
        docker("rmi", "--force", "firkin-explained")
    done = run([commands / "firkin", "explain", "firkin-explained", "unused"], cache=warm_cache)
    assert done.code == 10
    assert "looking for the image 'firkin-explained'" in done.err


def test_a_name_that_is_nowhere_has_its_message(built, commands, warm_cache) -> None:
    """The exit code of a mistake, and the names that are like it."""
    done = run([commands / "firkin", "explain", f"oci:{built}/oci", "helpr"], cache=warm_cache)
    assert done.code == 3
    assert "explaining 'helpr': the image neither holds it nor was it left out" in done.err
    assert "Did you mean helper" in done.err
