// The config file of a checkpoint that is written: what the source says, and what has changed.
#pragma once

#include <nlohmann/json.hpp>

#include "xlstm/quantize/source.h"

namespace xlstm::quantize {

/// The keys "dtype" and "torch_dtype" where they are.
void set_dtype(nlohmann::json& config, DType dtype);
/// Both keys of checkpoint::set_quantization.
void erase_quantization(nlohmann::json& config);

/// config.json of Hugging Face's xLSTM -> config.yaml of the package: exactly the fields of its config class, which
/// refuses others. What a file leaves out has another default there, so everything is written.
nlohmann::json to_package(const Source& source);
/// The other way round. Every key is kept.
nlohmann::json to_huggingface(const Source& source);

}  // namespace xlstm::quantize
