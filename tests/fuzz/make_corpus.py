#!/usr/bin/env python3
"""Writes the corpora of checkpoints: corpus/good/<variant>/ must load, corpus/checkpoint/<refusal>/ must be refused.

corpus/checkpoint/refusals.json says how: {refusal: {"directory", "code", "expect": [parts of the message], ...}}, where
"available_bytes" is what the loader is told about free memory and "check_weights" asks for the pass over all weights.
Deterministic, plain Python: tests/fuzz/make_corpus.py [directory]
"""

import json
import pathlib
import shutil
import struct
import sys

import tiny_checkpoints as tiny
from tiny_checkpoints import LARGE_CONFIG, data_of, header_of, indexed, join, large, large_tensors, research
from tiny_checkpoints import research_config, research_tensors, safetensors, to_json, to_yaml

HEAD = "lm_head.weight"  # the last tensor of the tiny files
NORM = "backbone.out_norm.weight"
FIRST, SECOND, INDEX = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"


class Corpus:
    def __init__(self):
        self.refusals, self.files = {}, {}

    def add(self, name, files, *expect, code="corrupt_file", **how):
        self.refusals[name] = {"directory": name, "code": code, "expect": list(expect), **how}
        self.files[name] = files

    def weights(self, name, content, *expect, **how):
        self.add(name, {"config.json": to_json(LARGE_CONFIG), "model.safetensors": content}, "model.safetensors", *expect, **how)

    def header(self, name, change, *expect):
        """`change` edits the header's table before it is written."""
        tensors = large_tensors()
        table = header_of(tensors)
        change(table)
        self.weights(name, join(json.dumps(table, separators=(",", ":")), data_of(tensors)), *expect)

    def config(self, name, changes, *expect, code="corrupt_file"):
        self.add(name, large(changes), "config.json", *expect, code=code)

    def research(self, name, config, *expect, code="corrupt_file", **options):
        self.add(name, research(config, **options), *expect, code=code)

    def yaml(self, name, text, *expect):
        files = {"config.yaml": text.encode(), "model.safetensors": safetensors(large_tensors(package=True))}
        self.add(name, files, "config.yaml", *expect)


def quoted(name):
    return f'"{name}"'


def replaced(tensors, name, dtype=None, shape=None, values=None):
    return [(n, dtype or d, shape or s, values or (v if shape is None else v[: tiny.size_of(shape)])) if n == name else (n, d, s, v)
            for n, d, s, v in tensors]


def without(tensors, name):
    return [tensor for tensor in tensors if tensor[0] != name]


def add_file_refusals(corpus):
    good = safetensors(large_tensors())
    length = struct.unpack("<Q", good[:8])[0]
    corpus.weights("truncated_length", good[:5], "truncated", "got 5")
    corpus.weights("empty_file", b"", "truncated", "got 0")
    corpus.weights("truncated_header", good[: 8 + length // 2], "truncated", "header")
    corpus.weights("truncated_data", good[:-3], quoted(HEAD), "truncated")
    corpus.weights("overlong_file", good + b"\0" * 5, quoted(HEAD), "overlong")
    corpus.weights("header_over_limit", struct.pack("<Q", 100_000_001) + good[8:], "header", "100000000", "100000001")
    corpus.weights("header_length_overflow", b"\xff" * 8 + good[8:], "header", "18446744073709551615")
    corpus.weights("header_not_json", join("hello", b""), "header", "expected JSON")
    corpus.weights("header_not_object", join("[1,2]", b""), "header", "an array")
    corpus.weights("header_too_deep", join('{"a":' + "[" * 500 + "]" * 500 + "}", b""), quoted("a"), "an array")
    corpus.weights("header_not_utf8", struct.pack("<Q", 16) + b'{"\xff\xfe":{}       }', "header", "UTF-8")
    corpus.weights("header_hostile_name", join('{"a\\nb\\u0000c":1}', b""), "a\\x0ab\\x00c")


def add_header_refusals(corpus):
    def offsets(name, begin, end):
        return lambda table: table[name].update(data_offsets=[begin, end])

    table = header_of(large_tensors())
    begin, end = table[HEAD]["data_offsets"]
    norm_begin, norm_end = table[NORM]["data_offsets"]
    corpus.header("offsets_overlap", offsets(HEAD, begin - 4, end - 4), quoted(HEAD), "overlap")
    corpus.header("offsets_hole", offsets(HEAD, begin + 4, end + 4), quoted(HEAD), "truncated")
    corpus.header("offsets_hole_inside", lambda t: t.pop(NORM), quoted(HEAD), "hole", str(norm_begin))
    corpus.header("offsets_reversed", offsets(HEAD, end, begin), quoted(HEAD), "rising order")
    corpus.header("offsets_wrong_size", offsets(HEAD, begin, end - 4), quoted(HEAD), str(end - begin), str(end - begin - 4))
    corpus.header("offsets_overflow", offsets(HEAD, 2**64 - 1 - (end - begin), 2**64 - 1), quoted(HEAD), "18446744073709551615")
    corpus.header("offsets_beyond_file", offsets(HEAD, 2**62, 2**62 + end - begin), quoted(HEAD), "truncated")
    corpus.header("offsets_beyond_64_bits", offsets(HEAD, begin, 2**70), quoted(HEAD), "a whole number")
    corpus.header("offsets_negative", offsets(HEAD, -4, end), quoted(HEAD), "-4")
    corpus.header("offsets_one_number", lambda t: t[HEAD].update(data_offsets=[begin]), quoted(HEAD), "2 data_offsets")
    corpus.header("offsets_three_numbers", lambda t: t[HEAD].update(data_offsets=[begin, end, end]), quoted(HEAD), "data_offsets")
    corpus.header("shape_overflow", lambda t: t[HEAD].update(shape=[2**32, 2**32]), quoted(HEAD), "overflow")
    corpus.header("shape_negative", lambda t: t[HEAD].update(shape=[-8, 4]), quoted(HEAD), "-8")
    corpus.header("shape_float", lambda t: t[HEAD].update(shape=[8.5, 4]), quoted(HEAD), "8.5")
    corpus.header("shape_too_many_dimensions", lambda t: t[HEAD].update(shape=[1] * 9), quoted(HEAD), "dimensions")
    corpus.header("dtype_unknown", lambda t: t[HEAD].update(dtype="F8_E4M3"), quoted(HEAD), "F8_E4M3")
    corpus.header("dtype_number", lambda t: t[HEAD].update(dtype=32), quoted(HEAD), "32")
    corpus.header("entry_without_dtype", lambda t: t[HEAD].pop("dtype"), quoted(HEAD), "dtype")
    corpus.header("entry_with_unknown_key", lambda t: t[HEAD].update(stride=1), quoted(HEAD), "stride")
    corpus.header("name_too_long", lambda t: t.update({"n" * 300: t[HEAD]}), "nnnn...", "256", "300")
    corpus.header("metadata_not_strings", lambda t: t.update(__metadata__={"format": 1}), "metadata", "format")
    tensors = large_tensors()
    text = json.dumps(header_of(tensors), separators=(",", ":"))
    entry = json.dumps({HEAD: header_of(tensors)[HEAD]}, separators=(",", ":"))[1:-1]
    corpus.weights("duplicate_in_header", join(text[:-1] + "," + entry + "}", data_of(tensors)), quoted(HEAD), "duplicate")


def add_tensor_refusals(corpus):
    tensors = large_tensors()
    layer = "backbone.blocks.0.mlstm_layer."
    corpus.add("missing_tensor", {"config.json": to_json(LARGE_CONFIG), "model.safetensors": safetensors(without(tensors, NORM))},
               "missing_tensor", quoted(NORM), "missing")
    extra = tensors + [("backbone.blocks.0.rotary.weight", "F32", (3,), [0.0] * 3)]
    corpus.weights("extra_tensor", safetensors(extra), quoted("backbone.blocks.0.rotary.weight"), "extra")
    corpus.weights("wrong_shape", safetensors(replaced(tensors, HEAD, shape=(tiny.VOCAB, tiny.DIM - 1))), quoted(HEAD), "[8, 4]", "[8, 3]")
    corpus.weights("wrong_rank", safetensors(replaced(tensors, NORM, shape=(tiny.DIM, 1))), quoted(NORM), "[4]", "[4, 1]")
    corpus.weights("zero_rows", safetensors(replaced(tensors, layer + "q.weight", shape=(0, tiny.DIM))), quoted(layer + "q.weight"), "[0, 4]")
    corpus.weights("wrong_dtype", safetensors(replaced(tensors, HEAD, dtype="I32")), quoted(HEAD), "float32", "int32")
    for name, bits in (("nan_weight", float("nan")), ("infinite_weight", float("inf"))):
        values = dict((t[0], t[3]) for t in tensors)[HEAD][:]
        values[13] = bits
        found = "NaN" if name == "nan_weight" else "infinity"
        corpus.weights(name, safetensors(replaced(tensors, HEAD, values=values)), quoted(HEAD), found, "[3, 1]", check_weights=True)
    half = replaced(large_tensors(dtype="BF16"), layer + "igate_preact.bias", values=[0.0, float("-inf")])
    corpus.weights("infinite_bfloat16_weight", safetensors(half), quoted(layer + "igate_preact.bias"), "[1]", check_weights=True)
    corpus.weights("not_enough_memory", safetensors(large_tensors(dtype="BF16")), "not enough memory", "got 100",
                   code="overloaded", available_bytes=100)
    del corpus.refusals["not_enough_memory"]["expect"][0]  # concerns the checkpoint, not one file
    corpus.weights("not_enough_memory_for_alignment", tiny.misaligned(tensors), "not enough memory", "got 100",
                   code="overloaded", available_bytes=100)
    corpus.weights("odd_head_width", safetensors(replaced(tensors, layer + "q.weight", shape=(1, tiny.DIM))),
                   quoted(layer + "q.weight"), "qk_dim_factor")
    fused = tiny.fuse(tensors)
    odd = replaced(fused, layer + "ifgate_preact.weight", shape=(2, tiny.DIM))
    odd = replaced(odd, layer + "ifgate_preact.bias", shape=(2,))
    corpus.add("fused_odd_gates", {"config.json": to_json({**LARGE_CONFIG, "weight_mode": "fused"}), "model.safetensors": safetensors(odd)},
               "model.safetensors", quoted(layer + "ifgate_preact.weight"), "[4, 4]", "[2, 4]")
    corpus.config("fused_config_single_tensors", {"weight_mode": "fused"}, quoted(layer + "ifgate_preact.weight"), "missing")
    del corpus.refusals["fused_config_single_tensors"]["expect"][0]


def add_shard_refusals(corpus):
    files = indexed()
    good_map = json.loads(files[INDEX])["weight_map"]

    def with_map(name, change, *expect, code="corrupt_file"):
        weight_map = dict(good_map)
        change(weight_map)
        corpus.add(name, {**files, INDEX: to_json({"weight_map": weight_map})}, INDEX, *expect, code=code)

    def with_index(name, content, *expect):
        corpus.add(name, {**files, INDEX: content}, INDEX, *expect)

    corpus.add("index_missing_shard", {name: content for name, content in files.items() if name != SECOND}, INDEX, SECOND, "missing",
               code="not_found")
    with_map("index_tensor_not_in_shard", lambda m: m.update({"backbone.ghost": FIRST}), quoted("backbone.ghost"), FIRST)
    with_map("index_tensor_not_listed", lambda m: m.pop(HEAD), quoted(HEAD), SECOND, "extra")
    with_map("index_tensor_in_other_shard", lambda m: m.update({HEAD: FIRST}), quoted(HEAD), FIRST)
    with_map("index_path_traversal", lambda m: m.update({HEAD: "../huggingface_single/model.safetensors"}), quoted(HEAD), "../")
    with_map("index_absolute_path", lambda m: m.update({HEAD: "/etc/model.safetensors"}), quoted(HEAD), "/etc")
    with_map("index_backslash_path", lambda m: m.update({HEAD: "..\\model.safetensors"}), quoted(HEAD), "plain name")
    with_map("index_other_file_type", lambda m: m.update({HEAD: "config.json"}), quoted(HEAD), "config.json")
    with_map("index_name_not_string", lambda m: m.update({HEAD: 3}), quoted(HEAD), "number")
    with_index("index_not_json", b'{"weight_map": {', "expected JSON")
    with_index("index_without_weight_map", b'{"metadata": {}}', "weight_map")
    with_index("index_weight_map_is_list", b'{"weight_map": []}', "an object")
    with_index("index_weight_map_empty", b'{"weight_map": {}}', "at least one")
    with_index("index_duplicate_key", b'{"weight_map": {"a": "b.safetensors", "a": "c.safetensors"}}', quoted("a"), "twice")
    first, second = tiny.split(large_tensors())
    again = {**files, FIRST: safetensors(first + [tensor for tensor in second if tensor[0] == HEAD])}
    corpus.add("index_duplicate_in_shards", again, INDEX, quoted(HEAD), FIRST)
    yaml = {"config.yaml": to_yaml(tiny.package_config()).encode()}
    first, second = tiny.split(large_tensors(package=True))
    numbered = {**yaml, "model_0.safetensors": safetensors(first)}
    corpus.add("numbered_duplicate", {**numbered, "model_1.safetensors": safetensors(second + first[:1])}, "model_1.safetensors",
               "model_0.safetensors", quoted("embedding.weight"), "duplicate")
    corpus.add("numbered_gap", {**numbered, "model_2.safetensors": safetensors(second)}, "config.yaml", "num_blocks")


def add_source_refusals(corpus):
    files = large()
    corpus.add("no_config", {"model.safetensors": files["model.safetensors"]}, "no_config", "config.json", "config.yaml", code="not_found")
    corpus.add("no_weights", {"config.json": files["config.json"]}, "no_weights", "model.safetensors", code="not_found")
    corpus.add("weights_are_a_directory", {"config.json": files["config.json"], "model.safetensors/readme.txt": b"a directory\n"},
               "model.safetensors", "a directory")
    other = safetensors([("transformer.wte.weight", "F32", (2, 2), [0.0] * 4)])
    corpus.add("another_network", {"config.json": files["config.json"], "model.safetensors": other}, "another_network",
               quoted("backbone.blocks.0.*"))
    corpus.add("generation_config_wrong_type", {**files, "generation_config.json": to_json({"eos_token_id": "</s>"})},
               "generation_config.json", "eos_token_id", "</s>")


def add_config_refusals(corpus):
    files = large()
    deep = b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"
    for name, content, expect in (("config_not_json", b"vocab_size: 8\n", "expected JSON"), ("config_empty", b"", "expected JSON"),
                                  ("config_is_list", b"[]", "a JSON object but got array"), ("config_too_deep", deep, "nesting"),
                                  ("config_duplicate_key", b'{"vocab_size": 8, "vocab_size": 9}', "twice"),
                                  ("config_not_utf8", b'{"a": "\xff"}', "expected JSON")):
        corpus.add(name, {**files, "config.json": content}, "config.json", expect)
    for key, value, expect in (("vocab_size", "8", "a whole number"), ("vocab_size", 9, "[9, 4]"), ("embedding_dim", 5, "hidden_size"),
                               ("hidden_size", 0, "a whole number"), ("num_heads", 2.5, "a whole number"), ("num_heads", 3, "[3, 4]"),
                               ("num_blocks", 3, "expected 2"), ("num_blocks", -1, "a whole number"), ("num_heads", 2**40, "a whole number"),
                               ("use_bias", "yes", "true or false"), ("norm_eps", "small", "a number"), ("eps", -1, "a number"),
                               ("gate_soft_cap", 0, "a number above"), ("output_logit_soft_cap", [30], "a number"),
                               ("qk_dim_factor", 0.75, "qk_dim_factor"), ("v_dim_factor", 1e9, "a number"),
                               ("ffn_proj_factor", 9.0, "ffn_proj_factor"), ("weight_mode", "double", "fused"),
                               ("mode", "dream", "inference"), ("chunk_size", 0, "a whole number"), ("bos_token_id", "x", "a whole number"),
                               ("eos_token_id", [0, "x"], "whole numbers"), ("tie_word_embeddings", 1, "true or false"),
                               ("model_type", 7, "a string"), ("chunkwise_kernel", {}, "a string")):
        text = "".join(c if c.isalnum() else "_" for c in json.dumps(value))
        corpus.config(f"config_{key}_{text}", {key: value}, *([key] if key in expect or " " in expect else []), expect)
        if expect.startswith("["):
            corpus.refusals[f"config_{key}_{text}"]["expect"][0] = "model.safetensors"
        elif expect == key:
            corpus.refusals[f"config_{key}_{text}"]["expect"].append("model.safetensors")
    for key, value in (("add_qk_norm", True), ("add_post_norm", True), ("gate_linear_headwise", True), ("quantization_config", {"bits": 4}),
                       ("model_type", "llama"), ("chunkwise_kernel", "chunkwise--triton_xl_chunk_siging")):
        corpus.config(f"unsupported_{key}", {key: value}, key, code="unsupported")


def add_yaml_refusals(corpus):
    good = to_yaml(tiny.package_config())
    corpus.yaml("yaml_anchor", good + "extra: &a 1\n", "an anchor")
    corpus.yaml("yaml_alias_bomb", "a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n" + good, "an anchor")
    corpus.yaml("yaml_alias", good + "extra: *a\n", "expected YAML")
    corpus.yaml("yaml_tag", good + "extra: !!python/object:os.system 1\n", "the tag")
    corpus.yaml("yaml_too_deep", "a: " + "[" * 500 + "]" * 500 + "\n", "nesting")
    corpus.yaml("yaml_two_documents", good + "---\n" + good, "one YAML document")
    corpus.yaml("yaml_not_a_mapping", "- 1\n- 2\n", "a YAML mapping")
    corpus.yaml("yaml_empty", "# nothing\n", "a YAML mapping")
    corpus.yaml("yaml_broken", "a: [1, 2\nb: }", "expected YAML")
    corpus.yaml("yaml_duplicate_key", good + "num_heads: 2\n", quoted("num_heads"), "twice")
    corpus.yaml("yaml_key_not_scalar", "? [a, b]\n: 1\n", "a key that is not a scalar")
    corpus.yaml("yaml_wrong_type", good.replace("num_heads: 2", "num_heads: two"), "num_heads", "two")
    corpus.yaml("yaml_not_finite", good.replace("eps: 1e-06", "eps: .nan"), "eps")


def add_research_refusals(corpus):
    block = "xlstm_block_stack.blocks.1.xlstm."
    mlstm = "xlstm_block_stack.blocks.0.xlstm."
    corpus.research("research_mlstm_without_conv", research_config(mlstm={"conv1d_kernel_size": 0}), "config.json",
                    "mlstm_block.mlstm.conv1d_kernel_size", code="unsupported", mlstm_kernel=1)
    corpus.research("research_unknown_activation", research_config(feedforward={"act_fn": "mish"}), "config.json", "act_fn", "mish",
                    code="unsupported")
    corpus.research("research_unknown_function", research_config(slstm={"function": "gru"}), "config.json", "function", "gru",
                    code="unsupported")
    corpus.research("research_unknown_ff_type", research_config(feedforward={"ff_type": "ffn"}), "config.json", "ff_type", code="unsupported")
    corpus.research("research_slstm_at_out_of_range", research_config(slstm_at=[2]), "config.json", "slstm_at", "[2]")
    corpus.research("research_slstm_at_word", research_config(slstm_at="some"), "config.json", "slstm_at", "some")
    corpus.research("research_slstm_at_floats", research_config(slstm_at=[0.5]), "config.json", "slstm_at", "0.5")
    only_mlstm = {key: value for key, value in tiny.RESEARCH_CONFIG.items() if key != "slstm_block"}
    corpus.research("research_without_slstm_block", only_mlstm, "config.json", "slstm_block", "nothing")
    corpus.research("research_block_is_a_list", {**tiny.RESEARCH_CONFIG, "mlstm_block": [1]}, "config.json", "mlstm_block", "a mapping")
    corpus.research("research_wrong_kind_of_block", research_config(slstm_at=[0]), "research_wrong_kind_of_block",
                    quoted("xlstm_block_stack.blocks.0.xlstm.conv1d.conv.weight"), "[4, 1, 4]")
    corpus.refusals["research_wrong_kind_of_block"]["expect"][0] = "model.safetensors"
    corpus.research("research_cell_shape", None, "model.safetensors", quoted(block + "slstm_cell._recurrent_kernel_"))
    tensors = research_tensors()
    bad = replaced(tensors, block + "slstm_cell._recurrent_kernel_", shape=(2, 4, 4))
    corpus.files["research_cell_shape"]["model.safetensors"] = safetensors(bad)
    corpus.research("research_heads_do_not_divide", None, "model.safetensors", quoted(mlstm + "proj_down.weight"), "num_heads = 3")
    gates = [(n, d, (3,) + tuple(s[1:]), (v + v)[: tiny.size_of((3,) + tuple(s[1:]))]) if ".mlstm_cell." in n and "gate." in n
             else (n, d, s, v) for n, d, s, v in tensors]
    corpus.files["research_heads_do_not_divide"] = {"config.json": to_json(research_config(mlstm={"num_heads": 3})),
                                                    "model.safetensors": safetensors(gates)}
    corpus.research("research_tied_but_different", research_config(tie_weights=True), "model.safetensors", quoted(HEAD), "tie_weights")
    corpus.research("research_proj_factor", research_config(mlstm={"proj_factor": 4.0}), "model.safetensors",
                    quoted(mlstm + "proj_down.weight"), "proj_factor")
    corpus.research("research_bias_missing", research_config(bias=True), "research_bias_missing", quoted(mlstm + "proj_down.bias"), "missing")


def add_quantized_refusals(corpus):
    wide = large_tensors(sizes=tiny.WIDE)
    good = tiny.quantized(wide)
    q, gate, norm = "backbone.blocks.0.mlstm_layer.q", "backbone.blocks.0.mlstm_layer.igate_preact", "backbone.out_norm"

    def config(name, keys, *expect, code="corrupt_file"):
        corpus.add(name, tiny.large_quantized(good, keys), "config.json", *expect, code=code)

    def changed(name, key, value, *expect, code="corrupt_file"):
        config(name, {"quantization": {"group_size": 32, "bits": 4, key: value}}, key, *expect, code=code)

    def weights(name, tensors, *expect, keys=None, **how):
        corpus.add(name, tiny.large_quantized(tensors, keys or tiny.quantization()), "model.safetensors", *expect, **how)

    config("quantized_without_key", {}, "quantization", quoted("backbone.embeddings.scales"))
    config("quantized_key_is_null", {"quantization": None}, "quantization", quoted("backbone.embeddings.scales"))
    config("quantization_is_a_number", {"quantization": 4}, "quantization", "a mapping")
    config("quantization_config_of_another_kind", {**tiny.quantization(), "quantization_config": {"quant_method": "gptq"}},
           "quantization_config", "gptq", code="unsupported")
    config("quantization_without_bits", {"quantization": {"group_size": 32}}, "quantization.bits", "4 or 8", "nothing")
    config("quantization_without_group_size", {"quantization": {"bits": 4}}, "quantization.group_size", "nothing")
    changed("quantization_bits_3", "bits", 3, "4 or 8", "got 3", code="unsupported")
    changed("quantization_bits_word", "bits", "four", "a whole number")
    changed("quantization_group_size_16", "group_size", 16, "32, 64 or 128", code="unsupported")
    changed("quantization_mode", "mode", "mxfp4", "affine", "mxfp4", code="unsupported")
    changed("quantization_module_false", q, False, quoted(q + ".scales"))
    changed("quantization_module_bits", q, {"group_size": 32, "bits": 6}, "bits", "4 or 8", code="unsupported")
    changed("quantization_module_empty", q, {}, "bits", "nothing")
    weights("quantized_other_bits", good, quoted("backbone.embeddings.weight"), "[8, 8]", "[8, 4]", keys=tiny.quantization(bits=8))
    weights("quantized_other_group_size", good, quoted("backbone.embeddings.weight"), "group_size = 64", "32",
            keys=tiny.quantization(group=64))
    weights("quantized_without_biases", without(good, q + ".biases"), quoted(q + ".biases"), "missing")
    corpus.refusals["quantized_without_biases"]["expect"][0] = "quantized_without_biases"
    weights("quantized_without_scales", without(good, q + ".scales"), quoted(q + ".weight"), "float32", "uint32")
    weights("quantized_biases_of_floats", wide + [(q + ".biases", "BF16", (16, 1), [0.0] * 16)], quoted(q + ".biases"), "extra")
    weights("quantized_scales_beside_floats", wide + [(q + ".scales", "BF16", (16, 1), [1.0] * 16)], quoted(q + ".weight"), "uint32",
            "float32")
    weights("quantized_scales_shape", replaced(good, q + ".scales", shape=(15, 1)), quoted(q + ".scales"), "[16, 1]", "[15, 1]")
    weights("quantized_biases_shape", replaced(good, q + ".biases", shape=(8, 2)), quoted(q + ".biases"), "[16, 1]", "[8, 2]")
    weights("quantized_scales_dtype", replaced(good, q + ".scales", dtype="I32"), quoted(q + ".scales"), "float32", "int32")
    weights("quantized_biases_dtype", replaced(good, q + ".biases", dtype="F16"), quoted(q + ".biases"), "bfloat16", "float16")
    weights("quantized_words_shape", replaced(good, q + ".weight", shape=(16, 3)), quoted(q + ".weight"), "[*, 4]", "[16, 3]")
    weights("quantized_words_rank", replaced(good, q + ".weight", shape=(16, 2, 2)), quoted(q + ".weight"), "[*, 4]", "[16, 2, 2]")
    gates = [t for n, d, s, v in good for t in (tiny.quantized_matrix(n, s, v, 4, 32, "BF16") if n == gate + ".weight" else [(n, d, s, v)])]
    weights("quantized_gate", gates, quoted(gate + ".weight"), "float32", "uint32")
    weights("quantized_norm", good + [(norm + ".scales", "BF16", (1, 1), [1.0])], quoted(norm + ".scales"), "extra")
    values = [1.0] * 15 + [float("nan")]
    weights("quantized_nan_scale", replaced(good, q + ".scales", values=values), quoted(q + ".scales"), "NaN", "[15, 0]", check_weights=True)
    corpus.add("quantized_odd_width", {"config.json": to_json({**LARGE_CONFIG, **tiny.quantization()}), "model.safetensors": safetensors(
        replaced(large_tensors(), HEAD, dtype="U32", values=[0] * 32) + [("lm_head.scales", "F32", (8, 1), [0.0] * 8)])},
        "model.safetensors", quoted(HEAD), "group_size = 32", "got 4")
    tied = tiny.quantized(research_tensors(sizes=tiny.WIDE, tied=True))
    other = replaced(tied, "lm_head.biases", values=[0.25] * 8)
    corpus.add("research_quantized_tied_but_different", {"config.json": to_json(
        {**tiny.WIDE_RESEARCH_CONFIG, "tie_weights": True, **tiny.quantization()}), "model.safetensors": safetensors(other)},
        "model.safetensors", quoted(HEAD), "tie_weights")


def write(root, directory, files):
    for name, content in files.items():
        path = root / directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus"
    corpus = Corpus()
    for add in (add_file_refusals, add_header_refusals, add_tensor_refusals, add_shard_refusals, add_source_refusals,
                add_config_refusals, add_yaml_refusals, add_research_refusals, add_quantized_refusals):
        add(corpus)
    for directory in ("checkpoint", "good"):
        shutil.rmtree(root / directory, ignore_errors=True)
    for name, files in corpus.files.items():
        write(root / "checkpoint", name, files)
    for name, files in tiny.good_checkpoints().items():
        write(root / "good", name, files)
    text = json.dumps(corpus.refusals, indent=1, sort_keys=True) + "\n"
    (root / "checkpoint" / "refusals.json").write_text(text)
    print(f"{len(corpus.files)} refusals and {len(tiny.good_checkpoints())} good checkpoints in {root}")


if __name__ == "__main__":
    main()
