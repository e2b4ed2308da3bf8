"""Fixtures of the error handling's tests."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.resilience.support import FORMS

from meshaccel.resilience import ErrorHandlingMiddleware
from meshaccel.resilience.testing import VirtualTime

Form = Callable[[ErrorHandlingMiddleware, str, Callable[[], Any]], Any]


@pytest.fixture
def time() -> VirtualTime:
    """A clock that nobody waits for."""
    return VirtualTime()


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def form(request: pytest.FixtureRequest) -> Form:
    """Each way to run an operation: call, decorator and block, in coroutines and in threads."""
    chosen: Form = request.param
    return chosen
