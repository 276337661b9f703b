"""Changes an ONNX graph node by node, keeping it in order and free of what is no longer used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class OnnxGraph:
    """A graph of which nodes are replaced; `save` writes it with the replacements in the places of the replaced.

    Looking up (`producer`, `consumers`) always sees the graph as it was read.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.nodes: list[Any] = list(model.graph.node)
        self._producers = {output: node for node in self.nodes for output in node.output}
        self._consumers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self._consumers.setdefault(name, []).append(node)
        self._values = {tensor.name: tensor for tensor in model.graph.initializer}
        self._replacements: dict[int, list[Any]] = {}
        self._added: dict[str, Any] = {}

    @staticmethod
    def read(path: Path) -> OnnxGraph:
        """Reads a graph with the weights that are inside its file."""
        import onnx

        return OnnxGraph(onnx.load(path))

    def producer(self, name: str) -> Any:
        """Returns the node that gives a tensor."""
        return self._producers[name]

    def consumers(self, name: str) -> list[Any]:
        """Returns the nodes that take a tensor."""
        return self._consumers.get(name, [])

    def consumer(self, name: str) -> Any:
        """Returns the one node that takes a tensor."""
        (node,) = self.consumers(name)
        return node

    def is_constant(self, name: str) -> bool:
        return name in self._values

    def value(self, name: str) -> NDArray[Any]:
        """Returns a weight or constant."""
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._values[name]))

    def constant_input(self, node: Any) -> NDArray[Any]:
        """Returns the one constant that a node takes."""
        (name,) = filter(self.is_constant, node.input)
        return self.value(name)

    def constant(self, name: str, values: Any) -> str:
        """Adds a constant, once under a name, and returns the name."""
        from onnx import numpy_helper

        if name not in self._added:
            self._added[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def replace(self, node: Any, *others: Any) -> None:
        """Puts other nodes in the place of one, or in addition to it where it is among them."""
        self._replacements[id(node)] = list(others)

    def add_output(self, name: str, shape: list[int | str]) -> None:
        """Makes a float32 tensor of the graph an output."""
        from onnx import TensorProto, helper

        self.model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def keep_outputs(self, names: Iterable[str]) -> None:
        """Makes float32 tensors of the graph its only outputs, of whatever shape."""
        from onnx import ValueInfoProto

        _refill(self.model.graph.output, [ValueInfoProto(name=name) for name in names])

    def add_input(self, name: str, default: NDArray[np.float32]) -> str:
        """Adds a float32 input that a caller may leave out, and returns its name."""
        from onnx import TensorProto, helper

        self.model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, default.shape))
        return self.constant(name, default)

    def make_input(self, name: str, shape: list[int | str]) -> None:
        """Makes a float32 tensor of the graph an input, so that nothing computes it any more."""
        from onnx import TensorProto, helper

        self.replace(self.producer(name))
        self.model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def to_float32(self) -> None:
        """Widens float16 weights and what is computed with them."""
        from onnx import TensorProto, numpy_helper

        half, single = TensorProto.FLOAT16, TensorProto.FLOAT
        for tensor in self.model.graph.initializer:
            if tensor.data_type == half:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
        for info in self.model.graph.value_info:
            if info.type.tensor_type.elem_type == half:
                info.type.tensor_type.elem_type = single
        for node in self.nodes:
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == half:
                    attribute.i = single
                elif attribute.t.data_type == half:
                    attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float32)))

    def save(self, path: Path) -> None:
        """Writes the graph; what no output depends on is left out, inputs too."""
        import onnx

        graph = self.model.graph
        nodes = [new for old in self.nodes for new in self._replacements.get(id(old), [old])]
        needed, kept = {output.name for output in graph.output}, []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        values = {**self._values, **self._added}
        given = {output for node in kept for output in node.output}
        # ONNX Runtime fuses some nodes only where shapes are known.
        known = [info for info in graph.value_info if info.name in given & self._producers.keys()]
        _refill(graph.node, list(reversed(kept)))
        _refill(graph.input, [info for info in graph.input if info.name in needed])
        _refill(graph.initializer, [tensor for name, tensor in values.items() if name in needed])
        _refill(graph.value_info, known)
        onnx.save(self.model, path)


def _refill(field: Any, content: list[Any]) -> None:
    del field[:]
    field.extend(content)
