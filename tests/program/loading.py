"""Loading settings in tests, and hearing what is wrong with them."""

from pathlib import Path
from typing import Any

import pytest

from exporter.settings import ConfigurationError, Settings, load_settings

PREFIX = "REGISTRY_INTEGRITY_"
SECRET = "correct-horse-battery-staple"


def load(file: Path | None = None, text: str | None = None, /, **sources: Any) -> Settings:
    """Load flags (given by name) and `environment` (without the prefix), and the file when it has a text."""
    environment = {f"{PREFIX}{name}": value for name, value in sources.pop("environment", {}).items()}
    if file is not None and text is not None:
        file.write_text(text)
    return load_settings(sources, file, environment)


def problems(*arguments: Any, **sources: Any) -> list[str]:
    """What is wrong with a configuration, in the words of its error."""
    with pytest.raises(ConfigurationError) as caught:
        load(*arguments, **sources)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)
