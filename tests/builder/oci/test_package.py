import pytest

from builder import oci
from builder.oci import errors


def test_exports_are_sorted_and_real():
    """The public surface is the sorted `__all__`."""
    assert oci.__all__ == sorted(oci.__all__)
    assert all(hasattr(oci, name) for name in oci.__all__)


def tree(kind):
    return {kind: [tree(sub) for sub in kind.__subclasses__()]}


def test_the_drawn_error_tree_is_the_real_one():
    """The drawing in `errors` names every class, and all of them are OCIErrors."""
    classes = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    drawn = {word for word in errors.__doc__.split() if word.endswith("Error") and word != "OSError"}
    assert drawn == {kind.__name__ for kind in classes}
    assert all(issubclass(kind, errors.OCIError) for kind in classes)
    assert {kind.__name__ for kind in classes} <= set(oci.__all__)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(28, "free some space"), (13, "correct its permissions"), (30, "a place you may write"), (5, "check the disk")],
)
def test_disk_errors_say_what_to_do(number, advice):
    """An OSError becomes a DiskError with the action, the path, the reason and advice."""
    with (
        pytest.raises(errors.DiskError, match=f"writing 'there': .*; .*{advice}") as caught,
        errors.disk_errors("writing", "there"),
    ):
        raise OSError(number, "reason")
    assert caught.value.errno == number
    assert isinstance(caught.value.__cause__, OSError)
