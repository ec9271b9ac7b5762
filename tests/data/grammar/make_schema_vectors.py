#!/usr/bin/env python3
"""Writes schemas.jsonl: JSON Schemas, and of many instances whether PyPI `jsonschema` calls them valid.

    python3 -m venv V && V/bin/pip install jsonschema==4.26.0 && V/bin/python tests/data/grammar/make_schema_vectors.py

First line: versions; second line: the instances, a list of texts. Then a line a schema: {"schema": S, "valid": "0110..."}, a digit an
instance. Left out on purpose, since the grammar allows less than the schema there (docs/constrained_output.md): properties in another order than the schema's, integers
written 1.0, exponents in bounded numbers, types that a schema without `type` also allows.
"""
import importlib.metadata
import json
import pathlib

import jsonschema

A = {"type": "string"}
I = {"type": "integer"}
NODE = {"type": "object", "properties": {"v": I, "next": {"$ref": "#/$defs/node"}}, "required": ["v"], "additionalProperties": False}

SCHEMAS = [
    True, {}, {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}, {"type": "array"},
    {"type": "object"}, {"type": ["string", "null"]}, {"type": ["integer", "array", "boolean"]}, {"type": ["number", "integer"]},
    {"title": "t", "description": "d", "type": "string", "default": "x", "examples": ["y"], "$comment": "c"},
    {"type": "string", "minLength": 2}, {"type": "string", "maxLength": 2}, {"type": "string", "minLength": 1, "maxLength": 3},
    {"type": "string", "maxLength": 0}, {"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "b$"},
    {"type": "string", "pattern": "b"}, {"type": "string", "pattern": "^(a|b)+$"}, {"type": "string", "pattern": "^[^\"\\\\]+$"},
    {"type": "string", "pattern": "\"|\\\\"}, {"type": "string", "pattern": "^\\d{2}$|^a"}, {"type": "string", "pattern": "a", "maxLength": 2},
    {"type": "string", "pattern": "\u00e4"},
    {"enum": [1, "a", None, [1, 2], {"a": 1}]}, {"const": "ab"}, {"const": {"a": {"b": [1, {}, []]}}}, {"type": "string", "enum": ["a", 1, "\u00e4\n"]},
    {"const": -0.5}, {"enum": [True, 0.5, 100]},
    {"type": "integer", "minimum": 5}, {"type": "integer", "maximum": 5}, {"type": "integer", "minimum": -12, "maximum": 103},
    {"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "exclusiveMaximum": 0}, {"type": "integer", "minimum": 10, "exclusiveMinimum": 10},
    {"type": "integer", "minimum": 0.5, "maximum": 7.5}, {"type": "integer", "minimum": 7, "maximum": 7}, {"type": "integer", "minimum": -7, "maximum": -7},
    {"type": "number", "minimum": 0}, {"type": "number", "exclusiveMinimum": 0}, {"type": "number", "maximum": 9.99}, {"type": "number", "minimum": -0.5, "maximum": 2.5},
    {"type": "number", "exclusiveMinimum": -0.5, "exclusiveMaximum": 2.5}, {"type": "number", "minimum": 0.25, "maximum": 0.75},
    {"type": "number", "minimum": 10, "maximum": 99.5}, {"type": "number", "maximum": -0.5}, {"type": "number", "exclusiveMaximum": -10.01, "minimum": -1000},
    {"type": "array", "items": I}, {"type": "array", "items": A, "minItems": 1}, {"type": "array", "maxItems": 2}, {"type": "array", "minItems": 2, "maxItems": 3},
    {"type": "array", "maxItems": 0}, {"type": "array", "items": False}, {"type": "array", "prefixItems": [I, A]}, {"type": "array", "prefixItems": [I, A], "items": False},
    {"type": "array", "prefixItems": [I, A], "items": {"type": "null"}, "minItems": 1}, {"type": "array", "prefixItems": [I, I, I], "minItems": 2, "maxItems": 2},
    {"type": "array", "prefixItems": [I, A], "minItems": 3}, {"type": "array", "items": {"type": "array", "items": I}}, {"type": "array", "uniqueItems": False},
    {"type": "array", "items": {"type": ["integer", "null"]}, "maxItems": 1},
    {"type": "object", "properties": {"a": I}}, {"type": "object", "properties": {"a": I}, "additionalProperties": False},
    {"type": "object", "properties": {"a": I, "b": A}, "required": ["a"]}, {"type": "object", "properties": {"a": I, "b": A}, "required": ["b"], "additionalProperties": False},
    {"type": "object", "properties": {"a": I, "b": {}, "c": {"type": "boolean"}}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["a", "c"], "additionalProperties": False},
    {"type": "object", "properties": {"a": I}, "additionalProperties": A}, {"type": "object", "additionalProperties": I}, {"type": "object", "additionalProperties": False},
    {"type": "object", "required": ["a"]}, {"type": "object", "required": ["a", "b"], "additionalProperties": I}, {"type": "object", "minProperties": 1}, {"type": "object", "maxProperties": 1},
    {"type": "object", "additionalProperties": I, "minProperties": 1, "maxProperties": 2}, {"type": "object", "properties": {"a": {}}, "required": ["a"], "maxProperties": 2},
    {"type": "object", "propertyNames": {"pattern": "^[ab]$"}}, {"type": "object", "propertyNames": {"maxLength": 1}, "additionalProperties": I},
    {"type": "object", "patternProperties": {"^x": I}}, {"type": "object", "patternProperties": {"^x": I}, "additionalProperties": False},
    {"type": "object", "properties": {"a": I}, "patternProperties": {"^x": A}, "additionalProperties": {"type": "boolean"}},
    {"type": "object", "properties": {"a\"\\/\n\u00e4": I}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "object", "properties": {"a": I}, "required": ["a"]}}, "required": ["a"]},
    {"anyOf": [I, A]}, {"oneOf": [I, {"type": "null"}]}, {"anyOf": [{"type": "object", "properties": {"a": I}, "required": ["a"], "additionalProperties": False}, {"type": "array", "items": I}]},
    {"type": "object", "properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"type": "integer", "anyOf": [{"maximum": 0}, {"minimum": 7}]},
    {"allOf": [{"type": "integer", "minimum": 1}, {"maximum": 10, "type": "number"}]}, {"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]},
    {"allOf": [{"type": "object", "properties": {"a": I}, "required": ["a"]}, {"type": "object", "properties": {"b": A}}]},
    {"allOf": [{"type": "object", "properties": {"a": {"minimum": 1, "type": "integer"}}}, {"type": "object", "properties": {"a": {"maximum": 7, "type": "integer"}}, "required": ["a"]}]},
    {"allOf": [{"enum": [1, "a", None]}, {"enum": ["a", None]}]}, {"allOf": [A, True]},
    {"$ref": "#/$defs/node", "$defs": {"node": NODE}}, {"type": "array", "items": {"$ref": "#/definitions/i"}, "definitions": {"i": I}},
    {"type": ["array", "integer"], "items": {"$ref": "#"}}, {"$defs": {"p": {"type": "integer"}}, "$ref": "#/$defs/p", "minimum": 5},
    {"$defs": {"a~/b%": I}, "type": "array", "items": {"$ref": "#/$defs/a~0~1b%"}}, {"$defs": {"e": {"anyOf": [I, {"type": "array", "items": {"$ref": "#/$defs/e"}}]}}, "$ref": "#/$defs/e"},
    {"anyOf": [False, A]}, {"type": "object", "properties": {"a": False, "b": True}},
    {"anyOf": [{"type": "object", "properties": {"a": {"const": 1}, "b": A}, "required": ["a"]}, {"type": "object", "properties": {"a": {"const": "x"}, "b": I}, "required": ["a", "b"]}]},
]

INSTANCES = [
    None, True, False, 0, 1, -1, 3, 5, 6, 7, 8, -7, 9, 10, 11, 12, -12, -13, 100, 103, 104, 12345, -12345, 0.5, -0.5, -0.51, -0.49, 0.25, 0.2499, 0.251, 0.7, 0.75, 0.751, 2.5, 2.51, 2.49,
    9.99, 9.98, 9.991, 10.01, -10.01, -10.02, -999.5, -1000.5, 99.5, 99.51, 99.4, "", "a", "b", "ab", "abc", "abcd", "ba", "bab", "x", "1", "12", "123", "\u00e4", "\u00e4\n", "\u00e4\u00f6\U0001f600", "\"", "\\", "a\"b", "c\\",
    "\t\x01\x7f", "\u2028", "/", [], [1], [1, 2], [1, 2, 3], ["a"], ["a", "b"], ["a", 1], [1, "a"], [1, "a", None], [1, "a", None, None], [1, "a", 2], [1, "a", 1, 1], [[]], [[1], [2, 3]], [[1], 2], [[["a"]]], [None], [None, None], [0.5],
    [True], {}, {"a": 1}, {"a": "x"}, {"a": None}, {"a": 0}, {"a": 7}, {"a": 8}, {"b": 1}, {"b": "x"}, {"a": 1, "b": 2}, {"a": 1, "b": "x"}, {"a": "x", "b": 2}, {"a": "x", "b": "y"}, {"a": 1, "c": True}, {"a": 1, "c": 3}, {"b": 1, "c": False},
    {"a": 1, "b": "x", "c": True}, {"a": {"a": 1}}, {"a": {}}, {"a": {"a": "x"}}, {"a": {"b": [1, {}, []]}}, {"a": 1, "z": "s"}, {"a": 1, "z": 1}, {"a": 1, "aa": "s"}, {"x": 1}, {"x": "s"}, {"x1": 1, "x2": 2}, {"a": 1, "x": "s"}, {"a": 1, "x": 1},
    {"a": 1, "y": True}, {"y": True}, {"xy": 1, "y": "s"}, {"": 1}, {"ab": 1}, {"a": [], "b": {}}, {"v": 1}, {"v": 1, "next": {"v": 2}}, {"v": 1, "next": {"v": 2, "next": {}}}, {"v": 1, "next": None}, {"a\"\\/\n\u00e4": 1}, {"a\"\\/\n\u00e4": "x"}, {"\u00e4": 1},
    [[[[5]]], 5, []], [[5, [1]], "a"],
]


def text(i, instance):
    """Every way of writing that both sides should take: with and without blanks and line ends."""
    return json.dumps(instance, ensure_ascii=False, indent=i % 3 - 1 if i % 3 else None)


def line(schema):
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    return {"schema": schema, "valid": "".join("01"[validator.is_valid(instance)] for instance in INSTANCES)}


def main():
    versions = {"jsonschema": importlib.metadata.version("jsonschema"), "draft": "2020-12"}
    texts = [text(i, instance) for i, instance in enumerate(INSTANCES)]
    lines = [json.dumps(value) for value in [versions, texts] + [line(schema) for schema in SCHEMAS]]
    pathlib.Path(__file__).with_name("schemas.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
