"""Extensions of an image, started beside its function in the same sandbox."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import emulator
from builder.cache import Cache
from builder.outputs import open_image
from builder.prove import contents_of, extensions_of, runnable_contents, settings_for
from tests.agents import write_image_with_agent


@pytest.fixture(scope="session")
def with_agent(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of an image with an extension, and a folder beside it."""
    return write_image_with_agent(image_folder, tmp_path_factory.mktemp("agent") / "image")


@pytest.mark.parametrize("method", ["namespace", "chroot"])
def test_they_run_where_the_function_runs(with_agent: Path, cache: Cache, method: str) -> None:
    """Same root, same user, same /tmp; told of events, and of the end."""
    contents = contents_of(open_image(f"oci:{with_agent}"), cache)
    names = extensions_of(contents.layers)
    assert names == ["agent"]
    log = bytearray()

    async def story(settings: emulator.Settings) -> None:
        async with emulator.Emulator(settings, log=log.extend) as running:
            answer = await running.invoke(b'{"do": "look", "host": "/tmp/of-the-agent"}')
            assert b'"sees_host_file": true' in answer.payload

    with runnable_contents(contents, cache, method=method, extensions=names) as program:
        asyncio.run(story(replace(settings_for(program), extensions=program.extensions)))
    said = [line for line in log.decode().splitlines() if line.startswith("agent")]
    assert said == ["agent 12345 / True INVOKE", "agent 12345 / True SHUTDOWN"]
    assert list((cache.folder / "tmp").iterdir()) == []


def test_in_place_they_are_left_out(with_agent: Path, cache: Cache) -> None:
    """Their own interpreters and paths would be this machine's."""
    contents = contents_of(open_image(f"oci:{with_agent}"), cache)
    with runnable_contents(contents, cache, method="in place", extensions=["agent"]) as program:
        assert program.extensions == {}


def test_a_link_is_not_followed_out_of_the_image(tmp_path: Path) -> None:
    """To list them, folders of this machine are not looked into; an upper layer's word counts."""
    for layer, names in (("one", ["a", "b"]), ("two", ["c"])):
        (tmp_path / layer / "opt/extensions").mkdir(parents=True)
        for name in names:
            (tmp_path / layer / "opt/extensions" / name).touch()
    (tmp_path / "two/opt/extensions/a").mkdir()
    (tmp_path / "two/opt/extensions/link").symlink_to("/nowhere")
    (tmp_path / "three/opt").mkdir(parents=True)
    (tmp_path / "three/opt/extensions").symlink_to(tmp_path / "one/opt/extensions")
    (tmp_path / "four").mkdir()
    (tmp_path / "four/opt").symlink_to(tmp_path / "one/opt")
    layers = [tmp_path / name for name in ("one", "two", "three", "four")]
    assert extensions_of(layers) == ["b", "c", "link"]
    assert extensions_of(layers[2:]) == []
