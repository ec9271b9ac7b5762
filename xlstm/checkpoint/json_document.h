// JSON and YAML texts from strangers -> one tree, with limits.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

namespace xlstm::checkpoint {

inline constexpr std::size_t kMaxConfigBytes = 1 << 20;
inline constexpr std::size_t kMaxIndexBytes = 2 << 20;  // about 20,000 tensors
inline constexpr int kMaxDepth = 32;

/// Parses a whole JSON text. Refused (corrupt_file, one line): more than max_bytes, nesting beyond kMaxDepth, a key
/// that appears twice in one object, anything that is not JSON, a text whose root is not an object.
nlohmann::json parse_json(std::span<const std::byte> text, const std::string& file, std::size_t max_bytes);

/// What the parser has against a text, on one line and without its error numbers.
std::string describe(const nlohmann::json::exception& error);

/// Parses one YAML document into the same kind of tree; plain scalars become null, booleans, integers or floats as in
/// YAML 1.1. Refused besides: anchors, aliases, tags, several documents.
nlohmann::json parse_yaml(std::span<const std::byte> text, const std::string& file);

/// A tree as one YAML document that parse_yaml, and any reader of YAML 1.1, reads back as the same tree: a line for
/// each key of the root.
std::string dump_yaml(const nlohmann::json& root);

}  // namespace xlstm::checkpoint
