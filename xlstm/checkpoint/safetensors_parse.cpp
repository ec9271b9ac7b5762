#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/checkpoint/safetensors_header.h"

namespace xlstm::checkpoint {
namespace {

using Entry = std::pair<const std::string, HeaderEntry>;

// The length of the JSON that follows the first 8 bytes (little-endian).
std::size_t header_length(std::span<const std::byte> data, const std::string& file) {
  if (data.size() < 8)
    refuse_corrupt(file, "truncated: expected a header length of 8 bytes but got ", data.size(), " bytes");
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(data[i]);
  if (length > kMaxHeaderBytes)
    refuse_corrupt(file, "header: expected at most ", kMaxHeaderBytes, " bytes but got ", length);
  if (length > data.size() - 8) {
    refuse_corrupt(file, "truncated: expected a header of ", length, " bytes but got ", data.size() - 8);
  }
  return static_cast<std::size_t>(length);
}

// Bytes that the shape asks for; nothing when that overflows.
std::optional<std::uint64_t> shape_bytes(const HeaderEntry& entry) {
  std::uint64_t bytes = dtype_size(entry.dtype);
  if (std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end()) return 0;
  for (const std::int64_t dimension : entry.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dimension), &bytes)) return std::nullopt;
  }
  if (bytes > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return bytes;
}

void check_entry(const Entry& named, std::uint64_t data_size, const std::string& file) {
  const auto& [name, entry] = named;
  const std::optional<std::uint64_t> bytes = shape_bytes(entry);
  if (!bytes) {
    refuse_corrupt(file, "tensor ", quote(name), ": expected a size below 2^63 bytes but got shape ",
                   shape_to_string(entry.shape), " (overflow)");
  }
  if (entry.begin > entry.end) {
    refuse_corrupt(file, "tensor ", quote(name), ": expected data_offsets in rising order but got [", entry.begin, ", ",
                   entry.end, "]");
  }
  if (entry.end - entry.begin != *bytes) {
    refuse_corrupt(file, "tensor ", quote(name), ": expected ", *bytes, " bytes for ", dtype_name(entry.dtype), ' ',
                   shape_to_string(entry.shape), " but got ", entry.end - entry.begin, " by data_offsets [",
                   entry.begin, ", ", entry.end, "]");
  }
  if (entry.end > data_size) {
    refuse_corrupt(file, "tensor ", quote(name), ": truncated file: expected ", entry.end, " bytes of data but got ",
                   data_size);
  }
}

// Tensors in file order must follow one another from the first byte of the data to the last.
void check_coverage(const std::map<std::string, HeaderEntry>& tensors, std::uint64_t data_size,
                    const std::string& file) {
  std::vector<const Entry*> order;
  order.reserve(tensors.size());
  for (const Entry& entry : tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t end = 0;
  const Entry* last = nullptr;
  for (const Entry* entry : order) {
    if (entry->second.begin < end) {
      refuse_corrupt(file, "tensor ", quote(entry->first), ": expected to begin at byte ", end, " but got ",
                     entry->second.begin, ", an overlap with tensor ", quote(last->first));
    }
    if (entry->second.begin > end) {
      refuse_corrupt(file, "tensor ", quote(entry->first), ": expected to begin at byte ", end, " but got ",
                     entry->second.begin, ", a hole before it");
    }
    end = entry->second.end;
    last = entry;
  }
  if (end != data_size) {
    refuse_corrupt(file, "overlong file: expected ", end, " bytes of data but got ", data_size,
                   last ? ", the last tensor is " + quote(last->first) : "");
  }
}

bool is_aligned(const TensorView& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % dtype_size(view.dtype) == 0;
}

// Moves misaligned tensors to memory that new_owner keeps beside the file's own.
void copy_misaligned(SafetensorsFile& file, const std::string& name, const AvailableMemory& available) {
  constexpr std::size_t kAlignment = 64;
  std::size_t total = 0;
  for (const auto& [tensor, view] : file.tensors) {
    if (view.nbytes() == 0 || is_aligned(view)) continue;
    file.copied.insert(tensor);
    total += (view.nbytes() + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (total == 0) return;
  require_memory(total, name, "tensors that are not aligned in the file", available);
  struct Block {
    alignas(kAlignment) std::byte bytes[kAlignment];
  };
  auto storage = std::make_shared<std::pair<std::vector<Block>, std::shared_ptr<const void>>>(
      std::vector<Block>(total / kAlignment), file.bytes.owner);
  std::size_t block = 0;
  for (const std::string& tensor : file.copied) {
    TensorView& view = file.tensors.at(tensor);
    std::byte* to = storage->first[block].bytes;
    std::memcpy(to, view.data, view.nbytes());
    block += (view.nbytes() + kAlignment - 1) / kAlignment;
    view.data = to;
  }
  file.bytes.owner = std::move(storage);
}

}  // namespace

SafetensorsFile parse_safetensors(Bytes bytes, const std::string& file_name, const AvailableMemory& available) {
  const std::size_t length = header_length(bytes.data, file_name);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data.data()) + 8, length);
  SafetensorsHeader header = parse_safetensors_header(text, file_name);
  const std::span<const std::byte> data = bytes.data.subspan(8 + length);
  for (const Entry& entry : header.tensors) check_entry(entry, data.size(), file_name);
  check_coverage(header.tensors, data.size(), file_name);

  SafetensorsFile file;
  file.metadata = std::move(header.metadata);
  while (!header.tensors.empty()) {  // moved one by one: a large header is not held twice
    auto node = header.tensors.extract(header.tensors.begin());
    HeaderEntry& entry = node.mapped();
    file.tensors.emplace(
        node.key(), TensorView{node.key(), entry.dtype, std::move(entry.shape), data.data() + entry.begin, file_name});
  }
  file.bytes = std::move(bytes);
  copy_misaligned(file, file_name, available);
  return file;
}

SafetensorsFile open_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(map_file(path), path.string());
}

}  // namespace xlstm::checkpoint
