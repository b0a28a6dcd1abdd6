"""A SavedModel whose bytes depend on nothing but the model.

TensorFlow numbers functions, gradients and captured tensors through a whole process, keeps
functions in the order of a hash table, and gives each export a random fingerprint. None of it means
anything to a loader, nor does the machine's configuration that it writes beside each call.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

_NUMBERED = re.compile(r"(.*[_-])(\d+)")
_GRADIENT, _ARGUMENT = "_gradient_op_type", "_user_specified_name"
_CONFIGURATION = "config_proto"


def make_canonical(folder: Path) -> None:
    """Rewrite the graph of a version folder: all numbers from 0, functions in order of their names.

    The file with its fingerprint, which no loader needs, goes.
    """
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for meta_graph in saved.meta_graphs:
        graph = meta_graph.graph_def
        functions = [function.signature.name for function in graph.library.function]
        _Renaming(_numbered_anew(functions)).message(meta_graph)
        _tidy_attributes(graph)
        ordered = sorted(graph.library.function, key=lambda function: function.signature.name)
        del graph.library.function[:]
        graph.library.function.extend(ordered)
    path.write_bytes(saved.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink()


def _numbered_anew(names: Iterable[str]) -> dict[str, str]:
    """Map `stem_17` and `stem_4` to `stem_1` and `stem_0`, whatever their numbers."""
    found = {match for name in names if (match := _NUMBERED.fullmatch(name))}
    counts: dict[str, int] = {}
    new = {}
    for match in sorted(found, key=lambda match: int(match[2])):
        counts[match[1]] = counts.get(match[1], -1) + 1
        new[match[0]] = f"{match[1]}{counts[match[1]]}"
    return new


class _Renaming:
    """Replaces old names by new ones, also within the longer names that are made of them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        longest_first = sorted(names, key=len, reverse=True)
        self._names = names
        self._pattern = re.compile(f"(?:{'|'.join(map(re.escape, longest_first))})(?!\\d)")

    def text(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._names[match[0]], text) if self._names else text

    def message(self, message: Any) -> None:
        """Go through all strings of a message, keys of maps included."""
        for field, value in message.ListFields():
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                self._map(value)
            elif field.type == field.TYPE_MESSAGE:
                for part in value if field.is_repeated else [value]:
                    self.message(part)
            elif field.type == field.TYPE_STRING:
                if field.is_repeated:
                    value[:] = [self.text(text) for text in value]
                else:
                    setattr(message, field.name, self.text(value))

    def _map(self, entries: Any) -> None:
        # All are taken out first: a new name may be another one's old name.
        for key, value in [(key, entries.pop(key)) for key in list(entries)]:
            new = self.text(key) if isinstance(key, str) else key
            if isinstance(value, Message):
                self.message(value)
                entries[new].CopyFrom(value)
            else:
                entries[new] = self.text(value) if isinstance(value, str) else value


def _tidy_attributes(graph: GraphDef) -> None:
    functions = graph.library.function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    gradients = [node.attr[_GRADIENT] for node in nodes if _GRADIENT in node.attr]
    names = _numbered_anew(gradient.s.decode() for gradient in gradients)
    for gradient in gradients:
        name = gradient.s.decode()
        gradient.s = names.get(name, name).encode()
    for node in nodes:
        if _CONFIGURATION in node.attr:
            node.attr[_CONFIGURATION].s = b""
    for function in functions:
        for argument in function.arg_attr.values():
            # Captured tensors have no name, and get a number that is unique in the process.
            if _ARGUMENT in argument.attr and argument.attr[_ARGUMENT].s.isdigit():
                del argument.attr[_ARGUMENT]
