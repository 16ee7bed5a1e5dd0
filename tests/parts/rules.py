"""The shipped alerting rules, with their waiting times cut so that a test need not wait."""

import re
from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "alerts" / "registry-integrity.rules.yml"
SHIPPED_FOR_KUBERNETES = SHIPPED.with_name("registry-integrity-kubernetes.rules.yml")

_FOR = re.compile(r"(?m)^(\s+(?:for|keep_firing_for): )(\d+)([smhd])$")


def shortened_rules(folder: Path, rules: Path = SHIPPED, *, for_seconds: int = 1) -> Path:
    """Write the rules with every `for` and `keep_firing_for` cut down; nothing else changes."""
    text = rules.read_text("utf-8")
    shortened = _FOR.sub(lambda found: f"{found[1]}{0 if found[2] == '0' else for_seconds}s", text)
    if shortened == text:
        raise AssertionError("the rules hold no waiting times: this shortens nothing")
    file = folder / f"shortened.{rules.name}"
    file.write_text(shortened, "utf-8")
    return file
