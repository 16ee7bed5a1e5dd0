"""What the integrity tests share: asynchronous ones run in virtual time."""

from collections.abc import Callable, Iterator, Mapping

import pytest
import stamina.instrumentation

from tests.integrity.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], VirtualTimeLoop]]:
    return {"virtual time": VirtualTimeLoop}


@pytest.fixture(autouse=True, scope="session")
def _quiet_retries() -> Iterator[None]:
    """Keep the library that repeats requests from logging each of them."""
    stamina.instrumentation.set_on_retry_hooks([])
    yield
    stamina.instrumentation.set_on_retry_hooks(None)
