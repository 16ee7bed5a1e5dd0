"""How a question failed."""

from collections.abc import Awaitable
from typing import Any

import pytest

from exporter.registry import RegistryError


async def error_of(asking: Awaitable[Any]) -> RegistryError:
    """Await an error of this package's own, and nothing else."""
    with pytest.raises(RegistryError) as caught:
        await asking
    return caught.value


async def failure(asking: Awaitable[Any]) -> tuple[type[RegistryError], str]:
    """Await an error and return its class and whole message."""
    error = await error_of(asking)
    return type(error), str(error)
