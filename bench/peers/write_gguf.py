#!/usr/bin/env python3
"""Writes a Llama-shaped GGUF file of random weights with as many parameters as our synthetic 1.3b, for llama-bench.

Width 2048, 24 layers of attention (16 heads) and a gated FFN of 5504, vocabulary 50304, embedding and head apart: 1,420,396,544
parameters; ours are 1,420,839,104. Every matrix is of one type, embedding and head too; no vocabulary is written.

  bench/peers/.llama/.venv/bin/python bench/peers/write_gguf.py {bf16,q8_0,q4_0} FILE
"""
import argparse
import pathlib
import sys

try:
    import gguf
    import numpy
    from gguf.constants import GGML_QUANT_SIZES
except ImportError as error:
    sys.exit(f"write_gguf: {error}; bench/peers/llama_cpp.sh installs it into bench/peers/.llama")

WIDTH, LAYERS, HEADS, FFN, VOCABULARY = 2048, 24, 16, 5504, 50304
TYPES = {"bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0}
FILE_TYPES = {"bf16": gguf.LlamaFileType.MOSTLY_BF16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
              "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0}
ROWS_AT_ONCE = 2048  # of a matrix, so that memory stays small


def tensors():
    """Yields name -> shape, rows first, in the order of evaluation."""
    yield "token_embd.weight", (VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", (WIDTH,)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}{name}.weight", (WIDTH, WIDTH)
        yield block + "ffn_norm.weight", (WIDTH,)
        yield block + "ffn_gate.weight", (FFN, WIDTH)
        yield block + "ffn_up.weight", (FFN, WIDTH)
        yield block + "ffn_down.weight", (WIDTH, FFN)
    yield "output_norm.weight", (WIDTH,)
    yield "output.weight", (VOCABULARY, WIDTH)


def row_bytes(columns, kind):
    weights, size = GGML_QUANT_SIZES[kind]
    return columns // weights * size


def random_matrix(rows, columns, kind, generator):
    """[rows, bytes of a row]: normal numbers with variance 1 / columns, as `kind`."""
    parts = []
    for first in range(0, rows, ROWS_AT_ONCE):
        values = generator.standard_normal((min(ROWS_AT_ONCE, rows - first), columns), dtype=numpy.float32)
        parts.append(gguf.quants.quantize(values / numpy.sqrt(numpy.float32(columns)), kind))
    return numpy.concatenate(parts).view(numpy.uint8)


def add_settings(writer, file_type):
    writer.add_name("random")
    writer.add_file_type(file_type)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("none")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("type", choices=TYPES)
    parser.add_argument("file", type=pathlib.Path)
    arguments = parser.parse_args()
    kind = TYPES[arguments.type]
    unfinished = arguments.file.with_suffix(".part")
    writer = gguf.GGUFWriter(unfinished, "llama")
    add_settings(writer, FILE_TYPES[arguments.type])
    for name, shape in tensors():
        if len(shape) == 1:
            writer.add_tensor_info(name, shape, numpy.dtype(numpy.float32), 4 * shape[0])
        else:
            packed = (shape[0], row_bytes(shape[1], kind))
            writer.add_tensor_info(name, packed, numpy.dtype(numpy.uint8), packed[0] * packed[1], raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    generator = numpy.random.Generator(numpy.random.SFC64(0))
    for _, shape in tensors():
        writer.write_tensor_data(numpy.ones(shape, numpy.float32) if len(shape) == 1
                                 else random_matrix(*shape, kind, generator))
    writer.close()
    unfinished.replace(arguments.file)


if __name__ == "__main__":
    main()
