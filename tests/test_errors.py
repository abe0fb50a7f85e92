"""The exceptions: each has an exit status, and the tree in the docstring is the tree in the code."""

from __future__ import annotations

import inspect
import re

import pytest

from edgegap import errors
from edgegap.errors import EdgeGapError, IdentityError, exit_status

STATUSES = {"InputError": 2, "GateError": 1, "DeviceError": 3, "InternalError": 3}


def classes() -> list[type[EdgeGapError]]:
    found = [cls for _, cls in inspect.getmembers(errors, inspect.isclass)]
    return [cls for cls in found if issubclass(cls, EdgeGapError) and cls is not EdgeGapError]


def drawn() -> tuple[dict[str, str], dict[str, int]]:
    """The parent of every class, and the statuses that are written beside some, as the docstring draws them."""
    path = ["EdgeGapError"]
    parents, statuses = {}, {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│ ├└─]+)(\w+)\s+(\d )?", line)
        if match and "─" in match[1]:
            depth = len(match[1]) // 4
            parents[match[2]] = path[depth - 1]
            path[depth:] = [match[2]]
            if match[3]:
                statuses[match[2]] = int(match[3])
    return parents, statuses


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    parents, _ = drawn()
    assert parents == {cls.__name__: cls.__base__.__name__ for cls in classes()}  # type: ignore[union-attr]


def test_the_statuses_in_the_docstring_are_those_of_the_contract_and_of_the_table() -> None:
    _, statuses = drawn()
    assert statuses == STATUSES
    assert {cls.__name__: status for cls, status in errors.EXIT_STATUS.items()} == STATUSES


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_every_class_has_the_status_of_its_branch_and_says_what_it_is(cls: type[EdgeGapError]) -> None:
    branch = next(base.__name__ for base in cls.__mro__ if base.__name__ in STATUSES)
    assert exit_status(cls("")) == STATUSES[branch]
    assert cls.__doc__ != EdgeGapError.__doc__


def test_a_failed_identity_is_a_failed_gate() -> None:
    assert exit_status(IdentityError("differ")) == 1


def test_a_message_says_what_where_and_what_to_do() -> None:
    assert str(EdgeGapError("is not a bundle")) == "is not a bundle"
    assert str(EdgeGapError("is not a bundle", where="out")) == "out: is not a bundle"
    assert str(EdgeGapError("is not a bundle", where="out", hint="Export it.")) == "out: is not a bundle\nExport it."
