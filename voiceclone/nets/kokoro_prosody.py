"""The part of Kokoro before its decoder, cut out of the published graph: from text and style to what that is given."""

from __future__ import annotations

from pathlib import Path

from audio_ml.nets.onnx_graph import OnnxGraph

DECODER_INPUTS = {  # what the decoder starts from, by the names of `KokoroDecoder.forward`
    "text": "/encoder/MatMul_1_output_0",
    "pitch": "/decoder/decoder/Unsqueeze_output_0",
    "loudness": "/decoder/decoder/Unsqueeze_1_output_0",
    "source": "/decoder/decoder/generator/Concat_3_output_0",
}


def build(output: Path, published: Path) -> None:
    """Writes the graph from `input_ids`, `style` and `speed` to what the decoder starts from."""
    graph = OnnxGraph.read(published)
    graph.to_float32()
    graph.keep_outputs(DECODER_INPUTS.values())
    graph.save(output)
