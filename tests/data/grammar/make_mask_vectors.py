#!/usr/bin/env python3
"""Writes masks.jsonl: which tokens of a small vocabulary PyPI `llguidance` allows, step by step along texts.

    python3 -m venv V && V/bin/pip install --no-deps llguidance==1.9.1 && V/bin/python tests/data/grammar/make_mask_vectors.py

First line: versions and the tokens (id 0..255 are the bytes, then these). Then a line a text:
{"kind": "regex" | "schema" | "gbnf", "source": G, "text": T, "steps": [[allowed ids, can end], ...]}, one step before each byte of the
text and one behind it; runs of ids are [first, last]. Schemas are compact: no blanks between tokens.

Where the two differ by design, nothing is recorded here (docs/constrained_output.md): llguidance lets numbers have any number of
digits, bounded ones be -0, \\d, \\w and \\s be Unicode's, and keeps DEL out of strings, which JSON does not.
"""
import importlib.metadata
import json
import pathlib

from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from llguidance.gbnf_to_lark import gbnf_to_lark

DEL = 0x7F
WORDS = ["ab", "abc", "the", " the", "{\"", "\":", "\":\"", "\",\"", "\"}", "\"]", "],", "],\"", "}}", "}]", "},{", "[[", "[]", "[]}", "{}", "true", "true,", "false]",
         "null", "12", "1,", "1}", "-1", "0.", ".5", "a\":", "a\":1", "b\",\"", "\\n", "\\u00", "\u00e4", "\u00e4\"", "\U0001f600", "  ", "\n", "x(", "))", "()", ")x",
         "end", "nd", "aaaa", "aab", "bb", "2024-", "-01", "1-0", "abcdefghijklmnopqrstuvwxyz", "\"a\",\"b\",\"c\""]
I = {"type": "integer"}
OBJECT = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 120}, "ab": {"type": "string"}, "c": {"type": "array", "items": {"type": "boolean"}}},
          "required": ["ab"], "additionalProperties": False}
CASES = [
    ("regex", "(a|ab)(c|bcd)*e", ["abcbcde", "acce"]),
    ("regex", "[a-z]{2,5}(-[0-9]{2})*", ["the-01", "ab"]),
    ("regex", "([^\"\\\\\\n]|\\\\[nu\"])*end", ["ab \u00e4\\n\U0001f600end"]),
    ("regex", "(aab|a{4})+b?|the end", ["aabaaaab", "the end"]),
    ("regex", "[\u00e0-\u00ff]+[\U0001f600-\U0001f64f]", ["\u00e4\u00e5\U0001f600"]),
    ("gbnf", "root ::= item (\"x\" item)*\nitem ::= \"(\" root \")\" | [ab]+ | \"\"", ["(abx())x(a)", "x"]),
    ("gbnf", "root ::= \"a\" root \"b\" | \"1,\"", ["aa1,bb"]),
    ("schema", {"type": "boolean"}, ["true"]),
    ("schema", {"enum": ["a", "ab", 12, None]}, ["\"ab\"", "12"]),
    ("schema", {"const": {"a": [1, "b"]}}, ["{\"a\":[1,\"b\"]}"]),
    ("schema", {"type": "integer", "minimum": -1200, "maximum": -12}, ["-12", "-1200"]),
    ("schema", {"type": "integer", "minimum": 7, "maximum": 1200}, ["7", "1200"]),
    ("schema", {"type": "array", "items": {"enum": [1, 12]}, "minItems": 1, "maxItems": 3}, ["[1,12,1]"]),
    ("schema", {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": False, "minItems": 1}, ["[true,null]", "[false]"]),
    ("schema", OBJECT, ["{\"a\":12,\"ab\":\"\",\"c\":[true,false]}", "{\"ab\":\"\"}"]),
    ("schema", {"type": "object", "properties": {"a": I}, "additionalProperties": False}, ["{}"]),
    ("schema", {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]}, ["[[null],[]]"]),
    ("schema", {"type": "string", "pattern": "^[a-c]{1,3}(end)?$"}, ["\"abcend\"", "\"a\""]),
]


class Tokens:
    """What llguidance asks of a tokenizer: the vocabulary, and an end."""
    tokens = [bytes([byte]) for byte in range(256)] + [word.encode() for word in WORDS] + [b"\xff<end>"]
    eos_token_id = len(tokens) - 1
    bos_token_id = None
    special_token_ids = [eos_token_id]

    def __call__(self, text):
        return list(text)


def runs(ids):
    result = []
    for i in ids:
        if result and result[-1][-1] == i - 1:
            result[-1] = [result[-1][0], i]
        else:
            result.append([i, i])
    return result


def grammar_of(kind, source):
    if kind == "regex":
        return LLMatcher.grammar_from_regex(source)
    if kind == "gbnf":
        return LLMatcher.grammar_from_lark(gbnf_to_lark(source))
    return LLMatcher.grammar_from_json_schema(json.dumps(source), {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"})


def steps(tokenizer, grammar, text):
    matcher = LLMatcher(tokenizer, grammar)
    result = []
    for byte in [*text.encode(), None]:
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        # Not compute_logit_bias(): where the text is forced, that leaves only the tokens it would choose itself.
        allowed = [i for i in range(Tokens.eos_token_id) if i != DEL and matcher.validate_tokens([i]) == 1]
        result.append([runs(allowed), matcher.is_accepting()])
        if byte is not None and not matcher.consume_token(byte):
            raise ValueError(f"{text!r}: {matcher.get_error()}")
    return result


def main():
    tokenizer = LLTokenizer(TokenizerWrapper(Tokens()), slices=[])
    lines = [{"llguidance": importlib.metadata.version("llguidance"), "words": WORDS, "left_out": [DEL]}]
    for kind, source, texts in CASES:
        for text in texts:
            lines.append({"kind": kind, "source": source, "text": text, "steps": steps(tokenizer, grammar_of(kind, source), text)})
    path = pathlib.Path(__file__).with_name("masks.jsonl")
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


if __name__ == "__main__":
    main()
