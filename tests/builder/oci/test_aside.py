import pytest

from builder.oci.aside import folder_aside


def test_a_failed_swap_brings_the_old_folder_back(tmp_path):
    """If the new folder cannot take the name, what was there has it again, and nothing else is left."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_bytes(b"precious")
    with pytest.raises(FileNotFoundError), folder_aside(target) as new:
        new.rmdir()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert (target / "old").read_bytes() == b"precious"


def test_a_link_is_removed_and_not_followed(tmp_path):
    """Clearing away an old folder never reaches through a link in it."""
    target, precious = tmp_path / "target", tmp_path / "precious"
    target.mkdir()
    precious.mkdir()
    (precious / "file").write_bytes(b"")
    (target / "link").symlink_to(precious)
    with folder_aside(target) as new:
        (new / "new").write_bytes(b"")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert (precious / "file").exists()
