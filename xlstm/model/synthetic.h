// Random networks of published shapes, for benchmarks: reproducible from a seed, without a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/model/model.h"

namespace xlstm::model {

/// "7b", "2.7b", "1.3b", "165m" (reference section 1.2).
std::vector<std::string> synthetic_names();

/// xLSTM-large of the named shape, matrices uniform with variance 1/in, gate biases as trained models have them
/// (i -10, f 3..6), stored as `dtype`; memory asks for huge pages. Errors: invalid_argument (name), overloaded (not enough memory).
std::shared_ptr<const Model> make_synthetic(std::string_view name, DType dtype, std::uint64_t seed);

/// Writes a large-architecture model as a Hugging Face checkpoint (config.json, model.safetensors or shards + index).
void write_huggingface(const Model& model, const std::filesystem::path& directory);

}  // namespace xlstm::model
