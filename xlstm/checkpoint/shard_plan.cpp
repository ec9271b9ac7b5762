#include "xlstm/checkpoint/shard_plan.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "xlstm/checkpoint/atomic_file.h"

namespace xlstm::checkpoint {

std::vector<std::size_t> cut_into_shards(std::span<const std::size_t> item_bytes, std::size_t max_bytes) {
  std::vector<std::size_t> ends;
  std::size_t begin = 0, bytes = 0;
  for (std::size_t i = 0; i < item_bytes.size(); ++i) {
    if (i > begin && (item_bytes[i] > max_bytes || bytes > max_bytes - item_bytes[i])) {
      ends.push_back(i);
      begin = i;
      bytes = 0;
    }
    bytes += item_bytes[i];
  }
  ends.push_back(item_bytes.size());
  return ends;
}

void order_for_alignment(std::vector<TensorView>& tensors) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorView& a, const TensorView& b) { return dtype_size(a.dtype) > dtype_size(b.dtype); });
}

std::vector<std::string> shard_names(std::size_t count, bool numbered) {
  if (count == 1) return {"model.safetensors"};
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) {
    std::array<char, 64> name{};
    if (numbered) {
      std::snprintf(name.data(), name.size(), "model_%zu.safetensors", i - 1);
    } else {
      std::snprintf(name.data(), name.size(), "model-%05zu-of-%05zu.safetensors", i, count);
    }
    names.emplace_back(name.data());
  }
  return names;
}

void write_index(const std::filesystem::path& directory, const std::map<std::string, std::string>& weight_map,
                 std::size_t total_bytes) {
  const nlohmann::json index = {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", weight_map}};
  write_text(directory / kIndexName, index.dump(2) + "\n");
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace xlstm::checkpoint
