"""The rules of the schema that Ant's JUnit reports have (github.com/windyroad/JUnit-Schema), as a table.

It is the strictest of those around: what it accepts, Jenkins, GitLab and others read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

_ANY = r"(?s:.*)"
_TOKEN = r"\S+(?: \S+)*"  # xs:token: neither other white space nor two spaces
_COUNT = r"\d{1,9}"
_SECONDS = r"\d+(?:\.\d+)?"


@dataclass(frozen=True)
class Rule:
    """What an element may have: attributes, and children in their order, as a pattern of their names."""

    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)
    children: str = ""


_OUTCOME = Rule({"type": _ANY}, {"message": _ANY})
RULES = {
    "testsuites": Rule(children="(?:testsuite )*"),
    "testsuite": Rule(
        {
            "name": _TOKEN,
            "package": _TOKEN,
            "id": _COUNT,
            "hostname": _TOKEN,
            "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
            "tests": _COUNT,
            "failures": _COUNT,
            "errors": _COUNT,
            "time": _SECONDS,
        },
        {"skipped": _COUNT},
        "properties (?:testcase )*system-out system-err ",
    ),
    "properties": Rule(children="(?:property )*"),
    "testcase": Rule(
        {"name": _TOKEN, "classname": _TOKEN, "time": _SECONDS}, children="(?:skipped |error |failure )?"
    ),
    "failure": _OUTCOME,
    "error": _OUTCOME,
    "skipped": Rule(),
    "system-out": Rule(),
    "system-err": Rule(),
}


def violations(element: ET.Element) -> Iterator[str]:
    """Tell what is against the schema."""
    rule = RULES[element.tag]
    known = {**rule.required, **rule.optional}
    missing = rule.required.keys() - element.attrib.keys()
    yield from (f"{element.tag} has no {name}" for name in sorted(missing))
    for name, value in element.attrib.items():
        if name not in known or not re.fullmatch(known[name], value):
            yield f"{element.tag} has {name}={value!r}"
    children = "".join(f"{child.tag} " for child in element)
    if not re.fullmatch(rule.children, children):
        yield f"{element.tag} holds {children}"
    for child in element:
        yield from violations(child)
