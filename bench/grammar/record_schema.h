// What the benchmarks ask a model for: a list of records.
#pragma once

inline constexpr const char* kSchema = R"({
  "type": "object",
  "properties": {"records": {"type": "array", "items": {"$ref": "#/$defs/record"}}},
  "required": ["records"],
  "additionalProperties": false,
  "$defs": {
    "record": {
      "type": "object",
      "properties": {
        "id": {"type": "integer", "minimum": 1, "maximum": 100000},
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "email": {"type": "string", "format": "email"},
        "score": {"type": "number"},
        "active": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
        "address": {
          "type": "object",
          "properties": {"street": {"type": "string"}, "city": {"type": "string"},
                         "zip": {"type": "string", "pattern": "^[0-9]{4,5}$"}},
          "required": ["street", "city"]
        }
      },
      "required": ["id", "name", "tags"]
    }
  }
})";
