#include "xlstm/checkpoint/shards.h"

#include <algorithm>
#include <utility>

#include "xlstm/checkpoint/json_document.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/shard_plan.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

constexpr const char* kSingleFile = "model.safetensors";

using WeightMap = std::map<std::string, std::string>;  // tensor -> file

// A file beside the index: a path out of the directory is an attack, not a layout.
void check_shard_name(const std::string& tensor, const std::string& name, const std::string& index) {
  const bool plain = !name.empty() && name.find_first_of("/\\") == std::string::npos &&
                     name.find('\0') == std::string::npos && name.ends_with(".safetensors");
  if (!plain) {
    refuse_corrupt(index, "tensor ", quote(tensor), ": expected the plain name of a .safetensors file but got ",
                   quote(name));
  }
}

WeightMap parse_index(const Bytes& bytes, const std::string& file) {
  const json root = parse_json(bytes.data, file, kMaxIndexBytes);
  const auto map = root.find("weight_map");
  if (map == root.end()) refuse_corrupt(file, "expected the key \"weight_map\" but got none");
  if (!map->is_object()) refuse_corrupt(file, "weight_map: expected an object but got ", map->type_name());
  if (map->empty()) refuse_corrupt(file, "weight_map: expected at least one tensor but got none");
  WeightMap weights;
  for (const auto& [tensor, name] : map->items()) {
    if (!name.is_string()) {
      refuse_corrupt(file, "tensor ", quote(tensor), ": expected the name of a file but got ", name.type_name());
    }
    check_shard_name(tensor, name.get_ref<const std::string&>(), file);
    weights.emplace(tensor, name.get<std::string>());
  }
  return weights;
}

void add_file(Shards& shards, SafetensorsFile file, const std::string& display) {
  for (auto& [name, view] : file.tensors) {
    const auto [place, added] = shards.tensors.emplace(name, std::move(view));
    if (!added) {
      refuse_corrupt(display, "tensor ", quote(name), ": expected in one file but got a duplicate of the one in ",
                     place->second.file);
    }
  }
  shards.copied.merge(file.copied);
  shards.storage.push_back(std::move(file.bytes.owner));
}

// What the index says of one file, against what the file holds.
void check_against_index(const SafetensorsFile& file, const std::string& name, const std::string& display,
                         const WeightMap& weights, const std::string& index) {
  for (const auto& [tensor, home] : weights) {
    if (home == name && !file.tensors.contains(tensor)) {
      refuse_corrupt(index, "tensor ", quote(tensor), ": expected in ", display, " but it is missing there");
    }
  }
  for (const auto& [tensor, view] : file.tensors) {
    const auto home = weights.find(tensor);
    if (home == weights.end()) {
      refuse_corrupt(index, "tensor ", quote(tensor), ": expected every tensor of ", display,
                     " in weight_map but got none (extra)");
    }
    if (home->second != name) {
      refuse_corrupt(index, "tensor ", quote(tensor), ": expected only in ", quote(home->second), " but got one in ",
                     display, " as well");
    }
  }
}

Shards read_indexed(const FileSource& files, const Bytes& index_bytes, const AvailableMemory& available) {
  const std::string index = display_name(files, kIndexName);
  const WeightMap weights = parse_index(index_bytes, index);
  std::map<std::string, std::string> first_tensor;  // of each file, for the message
  for (const auto& [tensor, name] : weights) first_tensor.emplace(name, tensor);
  Shards shards;
  for (const auto& [name, tensor] : first_tensor) {
    std::optional<Bytes> bytes = files.open(name);
    const std::string display = display_name(files, name);
    if (!bytes) {
      refuse(ErrorCode::not_found, index, "tensor ", quote(tensor), ": expected the file ", display,
             " but it is missing");
    }
    SafetensorsFile file = parse_safetensors(std::move(*bytes), display, available);
    check_against_index(file, name, display, weights, index);
    add_file(shards, std::move(file), display);
  }
  return shards;
}

Shards read_numbered(const FileSource& files, const AvailableMemory& available) {
  Shards shards;
  for (int i = 0;; ++i) {
    const std::string name = "model_" + std::to_string(i) + ".safetensors";
    std::optional<Bytes> bytes = files.open(name);
    if (!bytes && i == 0) {
      refuse(ErrorCode::not_found, files.description(), "expected ", kSingleFile, ", ", kIndexName, " or ", name,
             " but got none");
    }
    if (!bytes) return shards;
    const std::string display = display_name(files, name);
    add_file(shards, parse_safetensors(std::move(*bytes), display, available), display);
  }
}

}  // namespace

std::string display_name(const FileSource& files, const std::string& name) { return files.description() + '/' + name; }

Shards read_shards(const FileSource& files, const AvailableMemory& available) {
  if (std::optional<Bytes> bytes = files.open(kSingleFile)) {
    Shards shards;
    const std::string display = display_name(files, kSingleFile);
    add_file(shards, parse_safetensors(std::move(*bytes), display, available), display);
    return shards;
  }
  if (const std::optional<Bytes> index = files.open(kIndexName)) return read_indexed(files, *index, available);
  return read_numbered(files, available);
}

}  // namespace xlstm::checkpoint
