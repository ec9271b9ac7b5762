// The JSON header of a safetensors file, read event by event: no tree of a hostile header is ever built.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "xlstm/base/tensor_view.h"

namespace xlstm::checkpoint {

/// Where a tensor lies; offsets count from the start of the data, as the file has them. Unchecked against each other.
struct HeaderEntry {
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, HeaderEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// "F32", "BF16", ...: the format's names.
std::string_view safetensors_dtype_name(DType dtype) noexcept;

/// Errors: corrupt_file naming file, tensor, expected, found: not JSON, wrong structure, unknown dtype, names that
/// appear twice.
SafetensorsHeader parse_safetensors_header(std::string_view json_text, const std::string& file);

}  // namespace xlstm::checkpoint
