"""Why something is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.oci import InvalidValueError


def refusal(read: Callable[..., Any], *arguments: Any) -> str:
    """Return the whole message with which a text or document is refused."""
    with pytest.raises(InvalidValueError) as caught:
        read(*arguments)
    assert type(caught.value) is InvalidValueError
    return str(caught.value)
