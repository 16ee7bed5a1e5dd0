"""Certificates and a token service, and retries that do not log."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from tests.parts.certificates import Authority
from tests.parts.token_service import TokenService, serve_tokens


@pytest.fixture(scope="session", autouse=True)
def quiet_retries() -> Iterator[None]:
    """Keep the library that repeats requests from logging each of them."""
    stamina.instrumentation.set_on_retry_hooks(())
    yield
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts yet."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TokenService]:
    """A token service, running."""
    async with serve_tokens(tmp_path_factory.mktemp("tokens")) as service:
        yield service
