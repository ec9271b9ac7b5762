// The key of a config that says how layers are quantised, as mlx-lm writes and reads it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "xlstm/checkpoint/config_section.h"
#include "xlstm/config/quantization.h"

namespace xlstm::checkpoint {

/// MLX's affine groups as mlx-lm writes them: {"quantization": {"group_size", "bits", "mode", "<module path>":
/// {"group_size", "bits"} or a boolean}}, and the same again under "quantization_config". Nothing when there is no such
/// key. Errors: unsupported (another mode or width, another quantization_config), corrupt_file.
std::optional<config::Quantization> read_quantization(ConfigSection& root);

/// Sets both keys. `modules` that are quantised in another format have entries of their own.
void set_quantization(nlohmann::json& config, config::AffineFormat format,
                      const std::map<std::string, config::AffineFormat>& modules = {});

}  // namespace xlstm::checkpoint
