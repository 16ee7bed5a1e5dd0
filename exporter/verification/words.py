"""What things are called where people read of them."""

from rich.filesize import decimal

from exporter.integrity import Finding, Kind, Node, Reason, Verdict
from exporter.logs import printable
from exporter.oci.media_types import INDEXES
from exporter.verification.run import Verified, VerifiedImage

_RUNBOOK = "docs/runbooks/RegistryManifestIntegrityFailure.md"


def title_of(node: Node) -> str:
    """Call a reference by what it leads to: `index`, `manifest linux/amd64`, `config`, `layer`."""
    match node.kind:
        case Kind.TAG | Kind.CHILD:
            noun = "index" if node.media_type in INDEXES else "manifest"
            return printable(f"{noun} {node.platform}" if node.platform is not None else noun)
        case kind:
            return kind.value


def verdict_of(node: Node) -> str:
    """Tell what is the matter with a reference; nothing where it is intact."""
    if node.verdict is Verdict.INTACT:
        return ""
    if node.verdict is Verdict.SKIPPED:
        return f"skipped, {printable(node.detail)}"
    return f"{node.verdict}, {node.reason}"


def conclusion(verified: tuple[Verified, ...]) -> tuple[Verdict, str]:
    """Sum up in a line that tells what to do."""
    images = [(one, image) for one in verified for image in one.images]
    for verdict in (Verdict.BROKEN, Verdict.UNVERIFIED):
        hit = [(one, image) for one, image in images if image.verdict is verdict]
        if hit:
            one, image = hit[0]
            finding = next(finding for finding in image.findings if finding.verdict is verdict)
            others = f" (and {len(hit) - 1} more of {len(images)} images)" if len(hit) > 1 else ""
            advise = _advice_if_broken if verdict is Verdict.BROKEN else _advice_if_unverified
            text = f"{verdict.capitalize()}: {printable(image.name)}{others}: {advise(finding, one, image)}"
            return verdict, text
    return Verdict.INTACT, _if_intact(verified, len(images))


def _if_intact(verified: tuple[Verified, ...], images: int) -> str:
    references = sum(sum(one.report.checked.values()) for one in verified)
    seconds = max(one.report.duration_seconds for one in verified)
    bytes_read = sum(one.bytes_read for one in verified)
    read = f", {decimal(bytes_read)} read and hashed" if bytes_read else ""
    counted, can = ("1 image", "It can") if images == 1 else (f"{images} images", "They can")
    return f"Intact: {counted}, {references} references{read} in {seconds:.1f} s. {can} be pulled."


def _advice_if_broken(finding: Finding, _verified: Verified, image: VerifiedImage) -> str:
    if finding.kind is Kind.TAG and finding.digest is None:
        return "it is not in the registry: push it, or correct its name."
    if finding.kind is Kind.CHILD and finding.digest is None:
        return f"it was not built for {finding.platform}: build it for that, or do not ask for it."
    reasons = {one.reason for one in image.findings if one.verdict is Verdict.BROKEN}
    if reasons == {Reason.MISSING}:
        return f"do not deploy it. Push it again; where that changes nothing, see {_RUNBOOK}."
    return f"do not deploy it. Pushing it again does not replace damaged data: see {_RUNBOOK}."


def _advice_if_unverified(finding: Finding, verified: Verified, _image: VerifiedImage) -> str:
    match finding.reason:
        case Reason.UNAUTHORIZED | Reason.FORBIDDEN:
            host = verified.report.registry
            return f"no permission ({finding.reason}): log in to {host} as somebody who may pull it."
        case Reason.CONNECTION | Reason.TIMEOUT:
            url = verified.report.url
            return f"{url} did not answer ({finding.reason}): see that it runs, or try again later."
        case Reason.RATE_LIMITED:
            return "the registry limits requests: log in, or try again later."
        case reason:
            return (
                f"the registry answers wrongly ({reason}): try again; --retries waits for one that settles."
            )
