"""What `verify` prints for people: a tree for each image, and a last line that tells what to do."""

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text
from rich.tree import Tree

from exporter.integrity import Kind, Node, Verdict
from exporter.logs import printable
from exporter.verification.run import Verified, VerifiedImage
from exporter.verification.words import conclusion, title_of, verdict_of

_STYLES: Final = {
    Verdict.INTACT: "green",
    Verdict.BROKEN: "bold red",
    Verdict.UNVERIFIED: "yellow",
    Verdict.SKIPPED: "dim",
}
_WIDE: Final = 104  # columns in which a layer's digest and size stand in one line


def render_trees(verified: Iterable[Verified], console: Console) -> None:
    """Print everything; a digest is never cut, and in 80 columns it stands in a line of its own."""
    verified = tuple(verified)
    wide = console.width >= _WIDE
    for one in verified:
        for image in one.images:
            console.print(_tree(image, wide=wide), crop=False)
            console.line()
    verdict, text = conclusion(verified)
    console.print(Text(text, _STYLES[verdict], overflow="fold"), crop=False)


def _tree(image: VerifiedImage, *, wide: bool) -> Tree:
    label = _label(image.tree, wide=wide)
    root = Text("\n", overflow="fold").join((Text(printable(image.name), "bold"), label))
    tree = Tree(root, guide_style="dim")
    _grow(tree, image.tree, wide=wide)
    return tree


def _grow(tree: Tree, node: Node, *, wide: bool) -> None:
    for child in node.children:
        _grow(tree.add(_label(child, wide=wide)), child, wide=wide)


def _label(node: Node, *, wide: bool) -> Text:
    style = "" if node.verdict is Verdict.INTACT else _STYLES[node.verdict]
    size = decimal(node.size) if node.size is not None else ""
    known = [title_of(node), size] if node.digest or node.kind is not Kind.TAG else ["not resolved"]
    first = ", ".join(filter(None, known))
    if node.elsewhere:
        first += " (its content: see above)"
    verdict = verdict_of(node)
    heading = f"{first}: {verdict}" if verdict else first
    digest = node.digest or ""
    lines = [f"{digest}  {heading}".strip()] if wide else [heading, digest]
    if node.verdict in {Verdict.BROKEN, Verdict.UNVERIFIED}:
        lines.append(printable(node.detail))
    return Text("\n".join(filter(None, lines)), style, overflow="fold")
