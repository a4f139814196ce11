import inspect

from s3vectors_local import errors


def _classes() -> dict[str, type[errors.EngineError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.EngineError)
    }


def test_tree_is_drawn() -> None:
    """The tree in the module's docstring names every class."""
    drawing = errors.__doc__ or ""
    assert [name for name in _classes() if name not in drawing] == []


def test_counted_style() -> None:
    """Members outside the model are counted, and every one is told with its path."""
    fields = [errors.Field("/a", "Value at '/a' is bad"), errors.Field("/b", "Value at '/b' is bad")]
    error = errors.ConstraintsViolated(fields)
    assert str(error) == "2 validation errors detected. Value at '/a' is bad; Value at '/b' is bad"
    assert error.fields == tuple(fields)


def test_one_is_singular() -> None:
    """The service says `1 validation error`."""
    assert str(errors.ConstraintsViolated([errors.Field("/a", "X")])) == "1 validation error detected. X"
