// How quantised layers are stored, free of any file format. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace xlstm::config {

/// MLX's affine groups: w = scale * q + bias with one scale and one bias for group_size neighbours of a row.
struct AffineFormat {
  int bits = 4;                  // of a q: 4 or 8
  std::int64_t group_size = 64;  // 32, 64 or 128

  bool operator==(const AffineFormat&) const = default;
};

/// What a config says about quantised layers. Which layers are quantised, the tensors say.
struct Quantization {
  AffineFormat format;                                         // of every layer without an entry of its own
  std::map<std::string, std::optional<AffineFormat>> modules;  // by path; nullopt: must not be quantised

  /// Nothing: must not be quantised.
  std::optional<AffineFormat> format_of(const std::string& module) const {
    const auto own = modules.find(module);
    return own == modules.end() ? format : own->second;
  }
};

}  // namespace xlstm::config
