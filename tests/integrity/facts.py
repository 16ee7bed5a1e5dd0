"""What docker-registry 2.8.2 answers about damaged storage: found by asking it, kept true by test_facts.py.

An answer is written as its status and what came with it. `HEAD` has no body that could say why.
"""

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What is asked for."""

    TAG = "tag"  # by its name; the manifest it points to is sound
    MANIFEST = "manifest"  # by digest, or by a tag that points to it: the answers are the same
    BLOB = "blob"  # a config or layer of at least one byte; GET is for its last one
    EMPTY_BLOB = "empty blob"  # one that has no byte; GET is for all of it


class Answer(StrEnum):
    """An answer, as far as it matters."""

    WHOLE = "200, right length"
    LENGTH_0 = "200, length 0"
    SHORT = "200, a shorter length"
    OTHER_BYTES = "200, right length, other bytes"
    LAST_BYTE = "206, one byte"
    CUT = "206, no byte, connection closed"
    BEYOND = "416"
    GONE = "404"
    MANIFEST_UNKNOWN = "404 MANIFEST_UNKNOWN"
    BLOB_UNKNOWN = "404 BLOB_UNKNOWN"
    ERROR = "500"
    UNKNOWN = "500 UNKNOWN"


class Memory(StrEnum):
    """What the registry remembers of a blob: nothing without `storage.cache`, or after a restart with it."""

    NOTHING = "no cache, or not asked since the start"
    SIZE = "cache, pushed or asked before the damage"


@dataclass(frozen=True)
class Answers:
    """To `HEAD` and to `GET`."""

    head: Answer
    get: Answer


_MISSING_MANIFEST = Answers(Answer.GONE, Answer.MANIFEST_UNKNOWN)
_MISSING_BLOB = Answers(Answer.GONE, Answer.BLOB_UNKNOWN)
_ERROR = Answers(Answer.ERROR, Answer.UNKNOWN)
_SOUND_BLOB = Answers(Answer.WHOLE, Answer.LAST_BYTE)
_SOUND = Answers(Answer.WHOLE, Answer.WHOLE)
_LYING_HEAD = Answers(Answer.WHOLE, Answer.CUT)

INTACT = {
    Part.TAG: _SOUND,
    Part.MANIFEST: _SOUND,
    Part.BLOB: _SOUND_BLOB,
    Part.EMPTY_BLOB: _SOUND,
}

# The names of the damage are those of sample.damage.Damage. A manifest's bit is flipped where its JSON stays
# JSON (`flip_data`), or where it does not (`break_data`).
_WHATEVER_IT_REMEMBERS = {
    (Part.TAG, "remove_tag_link"): _MISSING_MANIFEST,
    (Part.TAG, "empty_tag_link"): _ERROR,
    (Part.TAG, "garble_tag_link"): _ERROR,
    (Part.MANIFEST, "remove_revision_link"): _MISSING_MANIFEST,
    (Part.MANIFEST, "empty_revision_link"): _ERROR,
    (Part.MANIFEST, "garble_revision_link"): _ERROR,
    (Part.MANIFEST, "remove_data"): _MISSING_MANIFEST,
    (Part.MANIFEST, "empty_data"): _ERROR,
    (Part.MANIFEST, "truncate_data"): _ERROR,
    (Part.MANIFEST, "flip_data"): Answers(Answer.WHOLE, Answer.OTHER_BYTES),
    (Part.MANIFEST, "break_data"): _ERROR,
    (Part.BLOB, "flip_data"): _SOUND_BLOB,
}
_REMEMBERING_NOTHING = {
    (Part.BLOB, "remove_layer_link"): _MISSING_BLOB,
    (Part.BLOB, "empty_layer_link"): _ERROR,
    (Part.BLOB, "garble_layer_link"): _ERROR,
    (Part.BLOB, "remove_data"): _MISSING_BLOB,
    (Part.BLOB, "empty_data"): Answers(Answer.LENGTH_0, Answer.BEYOND),
    (Part.BLOB, "truncate_data"): Answers(Answer.SHORT, Answer.BEYOND),
    (Part.EMPTY_BLOB, "remove_layer_link"): _MISSING_BLOB,
    (Part.EMPTY_BLOB, "empty_layer_link"): _ERROR,
    (Part.EMPTY_BLOB, "garble_layer_link"): _ERROR,
    (Part.EMPTY_BLOB, "remove_data"): _MISSING_BLOB,
}
_REMEMBERING_THE_SIZE = {
    (Part.BLOB, "remove_layer_link"): _SOUND_BLOB,
    (Part.BLOB, "empty_layer_link"): _SOUND_BLOB,
    (Part.BLOB, "garble_layer_link"): _SOUND_BLOB,
    (Part.BLOB, "remove_data"): _LYING_HEAD,
    (Part.BLOB, "empty_data"): _LYING_HEAD,
    (Part.BLOB, "truncate_data"): _LYING_HEAD,
    (Part.EMPTY_BLOB, "remove_layer_link"): _SOUND,
    (Part.EMPTY_BLOB, "empty_layer_link"): _SOUND,
    (Part.EMPTY_BLOB, "garble_layer_link"): _SOUND,
    (Part.EMPTY_BLOB, "remove_data"): _SOUND,
}
FACTS = {
    Memory.NOTHING: _WHATEVER_IT_REMEMBERS | _REMEMBERING_NOTHING,
    Memory.SIZE: _WHATEVER_IT_REMEMBERS | _REMEMBERING_THE_SIZE,
}
