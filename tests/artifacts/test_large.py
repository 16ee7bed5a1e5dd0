"""An image of two thousand layers is one image: walked whole, its losses found."""

from pathlib import Path

from sample import content as make
from sample.store import store
from tests.artifacts.holdings import Held, findings_of, missing
from tests.parts.exporter import probe
from tests.parts.fixtures import StartRegistry

LAYERS = 2000


def test_two_thousand_layers_are_walked_and_the_lost_ones_found(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """Each is asked for once; the first, the last and some between are lost."""
    registry = start_registry()
    image = make.image("many", layers=LAYERS, layer_size=8)
    store(registry.storage, "many", image, "latest")
    lost = [layer.digest for layer in (*image.root.layers[::500], image.root.layers[-1])]
    for digest in lost:
        registry.damage.remove_layer_link("many", digest)
    status, document = probe(registry.url, folder=tmp_path)
    [report] = document["registries"]
    assert status == 1
    assert findings_of(document) == {
        "many": [missing(Held("layer", digest), "latest") for digest in sorted(lost)]
    }
    assert report["checked"] == {"tag": 1, "child": 0, "config": 1, "layer": LAYERS}
    assert report["requests"] == 4 + LAYERS + 1
