"""What `verify --output junit` prints: a test suite for each image, a test case for each reference."""

from collections.abc import Iterable
from datetime import UTC
from xml.etree import ElementTree as ET

from exporter.integrity import Node, Verdict
from exporter.logs import printable
from exporter.verification.run import Verified, VerifiedImage
from exporter.verification.words import title_of

_ELEMENTS = {Verdict.BROKEN: "failure", Verdict.UNVERIFIED: "error", Verdict.SKIPPED: "skipped"}


# What is no character for XML, beside those that `printable` writes as escapes (XML 1.0, 2.2).
_NO_CHARACTERS = str.maketrans({0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"})


def render_junit(verified: Iterable[Verified]) -> str:
    """Write the document: what is broken is a failure, what could not be verified an error."""
    suites = ET.Element("testsuites")
    pairs = ((one, image) for one in verified for image in one.images)
    for number, (one, image) in enumerate(pairs):
        _add_suite(suites, number, one, image)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _add_suite(suites: ET.Element, number: int, verified: Verified, image: VerifiedImage) -> None:
    report = verified.report
    nodes = tuple(image.tree.all())
    verdicts = [node.verdict for node in nodes]
    suite = ET.SubElement(
        suites,
        "testsuite",
        {
            "name": _written(image.name),
            "package": report.registry,
            "id": str(number),
            "hostname": report.registry,
            "timestamp": report.started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "tests": str(len(nodes)),
            "failures": str(verdicts.count(Verdict.BROKEN)),
            "errors": str(verdicts.count(Verdict.UNVERIFIED)),
            "skipped": str(verdicts.count(Verdict.SKIPPED)),
            "time": f"{report.duration_seconds:.3f}",
        },
    )
    ET.SubElement(suite, "properties")
    for node in nodes:
        _add_case(suite, image, node)
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")


def _add_case(suite: ET.Element, image: VerifiedImage, node: Node) -> None:
    name = " ".join(filter(None, (title_of(node), node.digest)))
    case = ET.SubElement(
        suite, "testcase", {"classname": _written(image.name), "name": _written(name), "time": "0"}
    )
    element = _ELEMENTS.get(node.verdict)
    if element is None:
        return
    detail = _written(node.detail)
    if node.verdict is Verdict.SKIPPED:
        ET.SubElement(case, element)
        return
    reason = node.reason or ""
    ET.SubElement(case, element, {"type": reason, "message": f"{node.verdict}, {reason}: {detail}"})


def _written(text: str) -> str:
    return printable(text).translate(_NO_CHARACTERS)
