"""Tensors of the reference files, and other helpers of the tests."""
import json
import pathlib
import struct

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPTS = ("p1", "p7", "p63", "p64", "p65", "p200")


def reference(name):
    data = (ROOT / f"tests/data/reference/{name}.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    dtypes = {"F32": np.float32, "I32": np.int32}
    tensors = {}
    for tensor, entry in header.items():
        if tensor != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + size + begin:8 + size + end], dtypes[entry["dtype"]])
            tensors[tensor] = values.reshape(entry["shape"])
    return tensors


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def bits_of(state):
    """Everything that a state says."""
    tensors = {name: values.tobytes() for name, values in state.tensors().items()}
    return tensors, state.tokens, None if state.logits is None else state.logits.tobytes()
