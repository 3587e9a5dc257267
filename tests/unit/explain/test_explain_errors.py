"""The error tree: what is drawn in the module is what is there."""

from __future__ import annotations

import inspect

from explain import errors


def test_every_error_is_drawn_and_has_a_default_message() -> None:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]
    for one in classes:
        assert issubclass(one, errors.ExplainError)
        assert f" {one.__name__} " in f" {errors.__doc__} ".replace("\n", " ")


def test_the_docstring_is_the_default_message() -> None:
    assert str(errors.ReferenceTooSmall()) == "The reference population is too small to explain against."
    assert str(errors.ReferenceTooSmall("12 rows")) == "12 rows"


def test_errors_carry_their_facts() -> None:
    invalid = errors.InvalidFeatures([errors.FieldError("/a", "is missing"), errors.FieldError("", "odd")])
    assert str(invalid) == "/a: is missing; (features): odd"
    assert errors.ModelUnsupported("booster dart").construct == "booster dart"
    unreconciled = errors.AttributionUnreconciled(1.0, 2.0, 1e-4)
    assert (unreconciled.expected, unreconciled.total, unreconciled.tolerance) == (1.0, 2.0, 1e-4)
    assert errors.ReasonUnmapped("age").factor == "age"
