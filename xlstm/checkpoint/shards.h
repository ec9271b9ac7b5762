// Which weight files a checkpoint has, and all their tensors in one table.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"

namespace xlstm::checkpoint {

struct Shards {
  std::map<std::string, TensorView> tensors;
  std::set<std::string> copied;
  std::vector<std::shared_ptr<const void>> storage;
};

/// How files are named in messages: "<description>/<name>".
std::string display_name(const FileSource& files, const std::string& name);

/// model.safetensors, or the files of model.safetensors.index.json, or model_0.safetensors, model_1.safetensors ...
/// (the first gap ends the list), in this order of preference. Errors: not_found, corrupt_file, overloaded; one line:
/// file, tensor, expected, found.
Shards read_shards(const FileSource& files, const AvailableMemory& available);

}  // namespace xlstm::checkpoint
