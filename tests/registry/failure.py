"""How a question failed, as one value to compare."""

from collections.abc import Awaitable
from typing import Any

import pytest

from exporter.registry import RegistryError


async def failure(asking: Awaitable[Any]) -> tuple[type[RegistryError], str]:
    """Await an error of exactly this package and return its class and whole message."""
    with pytest.raises(RegistryError) as caught:
        await asking
    return type(caught.value), str(caught.value)
