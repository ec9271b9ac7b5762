"""Tiny good checkpoints of every layout, as plain Python data. Used by make_corpus.py.

A tensor is (name, dtype, shape, list of floats); a checkpoint is {file name: bytes}.
"""

import json
import struct
from typing import NamedTuple

HEADS, BLOCKS = 2, 2
KERNEL, BLOCKSIZE = 4, 4  # research: conv taps, width of a q/k/v block
GATES = 4  # i, f, z, o


class Sizes(NamedTuple):
    vocab: int
    dim: int
    qk: int
    v: int
    ffn: int
    inner: int  # research: Di
    levels: int  # that a weight can take


TINY = Sizes(vocab=8, dim=4, qk=2, v=4, ffn=8, inner=8, levels=127)
WIDE = Sizes(vocab=8, dim=32, qk=16, v=32, ffn=64, inner=64, levels=16)  # groups of 32 divide every matrix
VOCAB, DIM, FFN = TINY.vocab, TINY.dim, TINY.ffn


class Values:
    """Reproducible numbers in [-0.5, 0.5) that bfloat16 holds exactly, so that dtypes can be compared."""

    def __init__(self, seed, levels):
        self.state, self.levels = seed, levels

    def take(self, count):
        values = []
        for _ in range(count):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            values.append(((self.state >> 33) % self.levels - self.levels // 2) / (self.levels + 1 & ~1))
        return values


def size_of(shape):
    size = 1
    for dimension in shape:
        size *= dimension
    return size


def encode(dtype, values):
    if dtype == "F32":
        return struct.pack(f"<{len(values)}f", *values)
    if dtype == "F16":
        return struct.pack(f"<{len(values)}e", *values)
    if dtype == "BF16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    if dtype == "U32":
        return struct.pack(f"<{len(values)}I", *values)
    if dtype == "I32":
        return struct.pack(f"<{len(values)}i", *(int(value * 100) for value in values))
    raise ValueError(dtype)


def header_of(tensors):
    header, offset = {}, 0
    for name, dtype, shape, values in tensors:
        size = len(encode(dtype, values))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    return header


def join(header_text, data, pad=True):
    text = header_text.encode()
    if pad:
        text += b" " * (-(8 + len(text)) % 8)
    return struct.pack("<Q", len(text)) + text + data


def data_of(tensors):
    return b"".join(encode(dtype, values) for _, dtype, _, values in tensors)


def safetensors(tensors, pad=True):
    return join(json.dumps(header_of(tensors), separators=(",", ":")), data_of(tensors), pad)


def to_json(config):
    return (json.dumps(config, indent=1, sort_keys=True) + "\n").encode()


def to_yaml(config, indent=0):
    """Block style, as OmegaConf writes it."""
    lines = []
    for key, value in config.items():
        if isinstance(value, dict):
            lines += [" " * indent + key + ":", to_yaml(value, indent + 2).rstrip("\n")]
        elif isinstance(value, list):
            lines += [" " * indent + key + ":"] + [" " * indent + f"- {item}" for item in value]
        elif value is None or isinstance(value, bool):
            lines.append(" " * indent + key + ": " + {None: "null", True: "true", False: "false"}[value])
        else:
            lines.append(" " * indent + f"{key}: {value}")
    return "\n".join(lines) + "\n"


# --- xLSTM-large -----------------------------------------------------------------------------------------------------

LARGE_CONFIG = {
    "model_type": "xlstm", "vocab_size": VOCAB, "hidden_size": DIM, "embedding_dim": DIM, "num_blocks": BLOCKS,
    "num_hidden_layers": BLOCKS, "num_heads": HEADS, "qk_dim_factor": 0.5, "v_dim_factor": 1.0, "use_bias": False,
    "norm_eps": 1e-6, "eps": 1e-6, "gate_soft_cap": 15.0, "output_logit_soft_cap": 30.0, "ffn_proj_factor": 2.0,
    "ffn_round_up_to_multiple_of": 8, "weight_mode": "single", "tie_word_embeddings": False, "chunk_size": 64,
    "add_out_norm": True, "chunkwise_kernel": "chunkwise--native_autograd", "bos_token_id": 0, "eos_token_id": 2,
}
PACKAGE_KEYS = ("vocab_size", "embedding_dim", "num_blocks", "num_heads", "qk_dim_factor", "v_dim_factor", "use_bias",
                "norm_eps", "eps", "gate_soft_cap", "output_logit_soft_cap", "ffn_proj_factor",
                "ffn_round_up_to_multiple_of", "weight_mode", "chunk_size", "add_out_norm")


def package_config(**changes):
    return {**{key: LARGE_CONFIG[key] for key in PACKAGE_KEYS}, **changes}


def large_tensors(dtype="F32", bias=False, head=True, package=False, out_norm=True, sizes=TINY):
    values, tensors = Values(1, sizes.levels), []
    dim, ffn_dim = sizes.dim, sizes.ffn

    def add(name, *shape):
        tensors.append((name, dtype, shape, values.take(size_of(shape))))

    def linear(name, rows, columns, with_bias=bias):
        add(name + ".weight", rows, columns)
        if with_bias:
            add(name + ".bias", rows)

    def norm(name, size, with_bias=bias):
        add(name + ".weight", size)
        if with_bias:
            add(name + ".bias", size)

    add("embedding.weight" if package else "backbone.embeddings.weight", sizes.vocab, dim)
    for i in range(BLOCKS):
        layer, ffn = f"backbone.blocks.{i}.mlstm_layer.", f"backbone.blocks.{i}.ffn."
        norm(f"backbone.blocks.{i}.norm_mlstm", dim)
        linear(layer + "q", sizes.qk, dim)
        linear(layer + "k", sizes.qk, dim)
        linear(layer + "v", sizes.v, dim)
        linear(layer + "ogate_preact", sizes.v, dim)
        linear(layer + "igate_preact", HEADS, dim, True)
        linear(layer + "fgate_preact", HEADS, dim, True)
        norm(layer + "multihead_norm", sizes.v)
        linear(layer + "out_proj", dim, sizes.v)
        norm(f"backbone.blocks.{i}.norm_ffn", dim)
        linear(ffn + "proj_up_gate", ffn_dim, dim)
        linear(ffn + "proj_up", ffn_dim, dim)
        linear(ffn + "proj_down", dim, ffn_dim)
    if out_norm:
        norm("backbone.out_norm", dim, bias and package)
    if head:
        add("lm_head.weight", sizes.vocab, dim)
    return tensors


FUSED = (("mlstm_layer.qkv_opreact", ("mlstm_layer.q", "mlstm_layer.k", "mlstm_layer.v", "mlstm_layer.ogate_preact")),
         ("mlstm_layer.ifgate_preact", ("mlstm_layer.igate_preact", "mlstm_layer.fgate_preact")),
         ("ffn.proj_up_gate_z", ("ffn.proj_up_gate", "ffn.proj_up")))


def fuse(tensors):
    """The same weights in the names and the order of weight_mode "fused"."""
    table = {tensor[0]: tensor for tensor in tensors}
    for i in range(BLOCKS):
        for whole, parts in FUSED:
            for kind in (".weight", ".bias"):
                names = [f"backbone.blocks.{i}.{part}{kind}" for part in parts]
                if names[0] not in table:
                    continue
                pieces = [table.pop(name) for name in names]
                rows = sum(piece[2][0] for piece in pieces)
                name = f"backbone.blocks.{i}.{whole}{kind}"
                values = [value for piece in pieces for value in piece[3]]
                table[name] = (name, pieces[0][1], (rows,) + tuple(pieces[0][2][1:]), values)
    return list(table.values())


def split(tensors):
    """Two shards, whole blocks apart: {file: tensors}."""
    late = [tensor for tensor in tensors if ".blocks.1." in tensor[0] or tensor[0].startswith(("lm_head", "backbone.out"))]
    return [tensor for tensor in tensors if tensor not in late], late


def index_of(shards):
    weight_map = {tensor[0]: file for file, tensors in shards.items() for tensor in tensors}
    return {"metadata": {"total_size": sum(len(data_of(tensors)) for tensors in shards.values())},
            "weight_map": weight_map}


def large(config=None, **options):
    return {"config.json": to_json({**LARGE_CONFIG, **(config or {})}),
            "model.safetensors": safetensors(large_tensors(**options))}


def indexed(**changes):
    first, second = split(large_tensors())
    shards = {"model-00001-of-00002.safetensors": first, "model-00002-of-00002.safetensors": second}
    files = {name: safetensors(tensors) for name, tensors in shards.items()}
    files["config.json"] = to_json(LARGE_CONFIG)
    files["model.safetensors.index.json"] = to_json({**index_of(shards), **changes})
    return files


# --- research layout -------------------------------------------------------------------------------------------------

RESEARCH_CONFIG = {
    "vocab_size": VOCAB, "context_length": 16, "num_blocks": BLOCKS, "embedding_dim": DIM, "add_post_blocks_norm": True,
    "bias": False, "tie_weights": False, "slstm_at": [1],
    "mlstm_block": {"mlstm": {"conv1d_kernel_size": KERNEL, "qkv_proj_blocksize": BLOCKSIZE, "num_heads": HEADS,
                              "proj_factor": 2.0, "round_proj_up_to_multiple_of": 8}},
    "slstm_block": {"slstm": {"num_heads": HEADS, "conv1d_kernel_size": KERNEL, "backend": "vanilla",
                              "function": "slstm", "group_norm_weight": True},
                    "feedforward": {"proj_factor": 1.3, "act_fn": "gelu", "round_proj_up_to_multiple_of": 8}},
}


def research_config(mlstm=None, slstm=None, feedforward=None, **changes):
    """Deep copy with changes; feedforward=False drops the FFN."""
    config = json.loads(json.dumps({**RESEARCH_CONFIG, **changes}))
    config["mlstm_block"] and config["mlstm_block"]["mlstm"].update(mlstm or {})
    config["slstm_block"]["slstm"].update(slstm or {})
    if feedforward is False:
        config["slstm_block"]["feedforward"] = None
    else:
        config["slstm_block"]["feedforward"].update(feedforward or {})
    return config


def cell_tensors(values, cuda, dim):
    """The same logical cell in either backend's layout: R[head][in][gate][out], b[head][gate][unit]."""
    width = dim // HEADS
    recurrent, bias = values.take(HEADS * width * GATES * width), values.take(HEADS * GATES * width)

    def r(head, column, gate, row):
        return recurrent[((head * width + column) * GATES + gate) * width + row]

    heads, widths, gates = range(HEADS), range(width), range(GATES)
    if cuda:
        return (HEADS, width, GATES * width), recurrent, bias
    vanilla = [r(h, c, g, o) for h in heads for g in gates for o in widths for c in widths]
    return (HEADS, GATES * width, width), vanilla, [bias[(h * GATES + g) * width + u] for g in gates for h in heads for u in widths]


def research_tensors(dtype="F32", slstm_at=(1,), bias=False, ffn=True, ffn_bias=False, cuda=False, mlstm_kernel=KERNEL,
                     slstm_kernel=KERNEL, group_norm=True, post_norm=True, names=("token_embedding", "lm_head"), tied=False, sizes=TINY):
    values, tensors = Values(2, sizes.levels), []
    dim, inner, ffn_dim = sizes.dim, sizes.inner, sizes.ffn

    def put(name, shape, numbers):
        tensors.append((name, dtype, tuple(shape), numbers))

    def add(name, *shape):
        put(name, shape, values.take(size_of(shape)))

    def linear(name, rows, columns, with_bias):
        add(name + ".weight", rows, columns)
        if with_bias:
            add(name + ".bias", rows)

    def headwise(name):
        add(name + ".weight", inner // BLOCKSIZE, BLOCKSIZE, BLOCKSIZE)
        if bias:
            add(name + ".bias", inner)

    def conv(name, channels, kernel):
        add(name + "conv1d.conv.weight", channels, 1, kernel)
        add(name + "conv1d.conv.bias", channels)

    def mlstm(layer):
        linear(layer + "proj_up", 2 * inner, dim, bias)
        for name in ("q_proj", "k_proj", "v_proj"):
            headwise(layer + name)
        conv(layer, inner, mlstm_kernel)
        linear(layer + "mlstm_cell.igate", HEADS, 3 * inner, True)
        linear(layer + "mlstm_cell.fgate", HEADS, 3 * inner, True)
        add(layer + "mlstm_cell.outnorm.weight", inner)
        add(layer + "learnable_skip", inner)
        linear(layer + "proj_down", dim, inner, bias)

    def slstm(block, layer):
        if slstm_kernel:
            conv(layer, dim, slstm_kernel)
        for gate in "fizo":
            add(layer + gate + "gate.weight", HEADS, dim // HEADS, dim // HEADS)
        shape, recurrent, cell_bias = cell_tensors(values, cuda, dim)
        put(layer + "slstm_cell._recurrent_kernel_", shape, recurrent)
        put(layer + "slstm_cell._bias_", (GATES * dim,), cell_bias)
        if group_norm:
            add(layer + "group_norm.weight", dim)
        if ffn:
            add(block + "ffn_norm.weight", dim)
            linear(block + "ffn.proj_up", 2 * ffn_dim, dim, ffn_bias)
            linear(block + "ffn.proj_down", dim, ffn_dim, ffn_bias)

    matrices = [values.take(sizes.vocab * dim) for _ in range(2)]
    for i, name in enumerate(names):
        put(name + ".weight", (sizes.vocab, dim), matrices[0 if tied else i])
    for i in range(BLOCKS):
        block = f"xlstm_block_stack.blocks.{i}."
        add(block + "xlstm_norm.weight", dim)
        slstm(block, block + "xlstm.") if i in slstm_at else mlstm(block + "xlstm.")
    if post_norm:
        add("xlstm_block_stack.post_blocks_norm.weight", dim)
    return tensors


def research(config=None, **options):
    return {"config.json": to_json(config or RESEARCH_CONFIG), "model.safetensors": safetensors(research_tensors(**options))}


# --- quantised -------------------------------------------------------------------------------------------------------

WIDE_LARGE_CONFIG = {**LARGE_CONFIG, "hidden_size": WIDE.dim, "embedding_dim": WIDE.dim}
WIDE_RESEARCH_CONFIG = research_config(feedforward={"proj_factor": 2.0}, embedding_dim=WIDE.dim)
GATE_PARTS = ("igate_preact", "fgate_preact", "mlstm_cell.")  # of names: matrices that are never quantised


def quantized_matrix(name, shape, values, bits, group, dtype):
    """The same values as words, scales and biases: exact, since every value is a multiple of 1 / 16 in [-0.5, 0.5).

    Rows take turns in the sign of their scale, as quantisers give groups of either sign.
    """
    rows, columns = shape
    per_word, step = 32 // bits, 2.0**-bits
    words, scales, biases = [], [], []
    for r in range(rows):
        scale, bias = (step, -0.5) if r % 2 == 0 else (-step, -0.5 + 15 / 16)
        q = [int((value - bias) / scale) for value in values[r * columns : (r + 1) * columns]]
        words += [sum(q[at + i] << bits * i for i in range(per_word)) for at in range(0, columns, per_word)]
        scales += [scale] * (columns // group)
        biases += [bias] * (columns // group)
    groups = (rows, columns // group)
    module = name.removesuffix(".weight")
    return [(name, "U32", (rows, columns // per_word), words), (module + ".scales", dtype, groups, scales),
            (module + ".biases", dtype, groups, biases)]


def quantized(tensors, bits=4, group=32, dtype="BF16", modules=None):
    """Every matrix quantised; `modules`: bits of some of them instead, 0 for none."""
    result = []
    for name, kind, shape, values in tensors:
        own = (modules or {}).get(name.removesuffix(".weight"), bits)
        if len(shape) == 2 and own and not any(part in name for part in GATE_PARTS):
            result += quantized_matrix(name, shape, values, own, group, dtype)
        else:
            result.append((name, kind, shape, values))
    return result


def quantization(bits=4, group=32, **modules):
    """The keys of a config as mlx-lm writes them."""
    value = {"group_size": group, "bits": bits, "mode": "affine", **modules}
    return {"quantization": value, "quantization_config": value}


def large_quantized(tensors, keys):
    return {"config.json": to_json({**WIDE_LARGE_CONFIG, **keys}), "model.safetensors": safetensors(tensors)}


def quantized_checkpoints():
    wide, fused, research_wide = large_tensors(sizes=WIDE), {"weight_mode": "fused"}, research_tensors(sizes=WIDE)
    v, head = "backbone.blocks.1.mlstm_layer.v", "lm_head"
    own = {v: {"group_size": 32, "bits": 8}, head: False, "backbone.embeddings": True, "backbone.blocks.9.of": {"group_size": 64, "bits": 8}}
    tied = {**WIDE_RESEARCH_CONFIG, "tie_weights": True}
    yaml = package_config(embedding_dim=WIDE.dim, quantization={"group_size": 32, "bits": 4})
    return {
        "wide": large_quantized(wide, {}),
        "wide_int4": large_quantized(quantized(wide), quantization()),
        "wide_int8": large_quantized(quantized(wide, bits=8, dtype="F32"), quantization(bits=8)),
        "wide_int4_float16": large_quantized(quantized(wide, dtype="F16"), quantization()),
        "wide_int4_fused": large_quantized(quantized(fuse(wide)), {**fused, **quantization()}),
        "wide_int4_without_mode": large_quantized(quantized(wide), {"quantization": {"group_size": 32, "bits": 4}}),
        "wide_int4_modules": large_quantized(quantized(wide, modules={v: 8, head: 0}), quantization(**own)),
        "wide_int4_tied": large_quantized(quantized(without_head(wide)), {"tie_word_embeddings": True, **quantization()}),
        "wide_quantization_unused": large_quantized(wide, quantization()),
        "wide_int4_package": {"config.yaml": to_yaml(yaml).encode(),
                              "model.safetensors": safetensors(quantized(large_tensors(package=True, sizes=WIDE)))},
        "research_wide": research(WIDE_RESEARCH_CONFIG, sizes=WIDE),
        "research_wide_int4": {"config.json": to_json({**WIDE_RESEARCH_CONFIG, **quantization()}),
                               "model.safetensors": safetensors(quantized(research_wide))},
        "research_wide_tied": research(tied, sizes=WIDE, tied=True),
        "research_wide_tied_int4": {"config.json": to_json({**tied, **quantization()}),
                                    "model.safetensors": safetensors(quantized(research_tensors(sizes=WIDE, tied=True)))},
    }


def without_head(tensors):
    return [tensor for tensor in tensors if tensor[0] != "lm_head.weight"]


# --- every good variant ----------------------------------------------------------------------------------------------


def good_checkpoints():
    first, second = split(large_tensors(package=True))
    yaml = {"config.yaml": to_yaml(package_config()).encode()}
    triton = {"chunkwise_kernel": "chunkwise--triton_xl_chunk", "sequence_kernel": "native_sequence__triton",
              "step_kernel": "triton", "gate_soft_cap": 15, "output_logit_soft_cap": 30, "v_dim_factor": 1,
              "ffn_proj_factor": 2, "add_qk_norm": False, "norm_type": "rmsnorm", "a_key_of_the_future": [1, {"x": 2}],
              "generation": None, "eos_token_id": [0, 2]}
    only_old_names = {key: value for key, value in LARGE_CONFIG.items() if key not in ("hidden_size", "num_hidden_layers")}
    mixed = [(name, "BF16" if len(shape) == 2 else "F32", shape, values) for name, _, shape, values in large_tensors()]
    return {
        "huggingface_single": large(),
        "huggingface_fused": {"config.json": to_json({**LARGE_CONFIG, "weight_mode": "fused"}),
                              "model.safetensors": safetensors(fuse(large_tensors()))},
        "huggingface_bias": large({"use_bias": True}, bias=True),
        "huggingface_bias_fused": {"config.json": to_json({**LARGE_CONFIG, "weight_mode": "fused", "use_bias": True}),
                                   "model.safetensors": safetensors(fuse(large_tensors(bias=True)))},
        "huggingface_indexed": indexed(),
        "huggingface_tied": large({"tie_word_embeddings": True}, head=False),
        "huggingface_tied_flag_with_head": large({"tie_word_embeddings": True}),
        "huggingface_triton_and_integers": large(triton),
        "huggingface_old_names": {**large(), "config.json": to_json(only_old_names)},
        "huggingface_no_out_norm_flag": large({"add_out_norm": False}),
        "huggingface_bfloat16": large(dtype="BF16"),
        "huggingface_float16": large(dtype="F16"),
        "huggingface_mixed_dtypes": {"config.json": to_json(LARGE_CONFIG), "model.safetensors": safetensors(mixed)},
        "huggingface_misaligned": {"config.json": to_json({**LARGE_CONFIG, "pad": 1}),
                                   "model.safetensors": misaligned(large_tensors())},
        "huggingface_generation_config": {**large(), "generation_config.json": to_json(
            {"bos_token_id": 1, "eos_token_id": [3, 4], "pad_token_id": 1})},
        "package": {**yaml, "model.safetensors": safetensors(large_tensors(package=True))},
        "package_numbered": {**yaml, "model_0.safetensors": safetensors(first), "model_1.safetensors": safetensors(second)},
        "package_bias": {"config.yaml": to_yaml(package_config(use_bias=True)).encode(),
                         "model.safetensors": safetensors(large_tensors(package=True, bias=True))},
        "package_no_out_norm": {"config.yaml": to_yaml(package_config(add_out_norm=False)).encode(),
                                "model.safetensors": safetensors(large_tensors(package=True, out_norm=False))},
        "package_no_caps": {**yaml, "config.yaml": to_yaml(package_config(gate_soft_cap=None, output_logit_soft_cap=None)).encode(),
                            "model.safetensors": safetensors(large_tensors(package=True))},
        "package_fused": {"config.yaml": to_yaml(package_config(weight_mode="fused")).encode(),
                          "model.safetensors": safetensors(fuse(large_tensors(package=True)))},
        "research": research(),
        "research_yaml": {"config.yaml": to_yaml(RESEARCH_CONFIG).encode(), "model.safetensors": safetensors(research_tensors())},
        "research_cuda": research(research_config(slstm={"backend": "cuda"}), cuda=True),
        "research_bfloat16": research(dtype="BF16"),
        "research_cuda_float16": research(dtype="F16", cuda=True),
        "research_all": research(research_config(slstm_at="all"), slstm_at=(0, 1)),
        "research_only_slstm": research(research_config(mlstm_block=None), slstm_at=(0, 1)),
        "research_only_mlstm": research({key: value for key, value in RESEARCH_CONFIG.items() if key not in ("slstm_at", "slstm_block")},
                                        slstm_at=()),
        "research_negative_index": research(research_config(slstm_at=[-1])),
        "research_tied": research(research_config(tie_weights=True), tied=True),
        "research_tied_embedding_only": research(research_config(tie_weights=True), names=("token_embedding",)),
        "research_tied_head_only": research(research_config(tie_weights=True), names=("lm_head",)),
        "research_bias": research(research_config(bias=True, feedforward={"bias": True}), bias=True, ffn_bias=True),
        "research_slstm_no_conv": research(research_config(slstm={"conv1d_kernel_size": 0}), slstm_kernel=0),
        "research_conv_one": research(research_config(mlstm={"conv1d_kernel_size": 1}, slstm={"conv1d_kernel_size": 1}),
                                      mlstm_kernel=1, slstm_kernel=1),
        "research_lstm": research(research_config(slstm={"function": "lstm"})),
        "research_no_ffn": research(research_config(feedforward=False), ffn=False),
        "research_no_group_norm_weight": research(research_config(slstm={"group_norm_weight": False}), group_norm=False),
        "research_no_post_norm": research(research_config(add_post_blocks_norm=False), post_norm=False),
        "research_relu": research(research_config(feedforward={"act_fn": "relu"})),
        "research_relu_squared": research(research_config(feedforward={"act_fn": "relu^2"})),
        "research_selu": research(research_config(feedforward={"act_fn": "selu"})),
        "research_swish": research(research_config(feedforward={"act_fn": "swish"})),
        "research_sigmoid": research(research_config(feedforward={"act_fn": "sigmoid"})),
        **quantized_checkpoints(),
    }


def misaligned(tensors):
    """A header whose length leaves every tensor at an odd address."""
    text = json.dumps(header_of(tensors), separators=(",", ":"))
    text += " " * ((8 + len(text) + 1) % 2)
    return join(text, data_of(tensors), pad=False)
