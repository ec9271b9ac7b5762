#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>

#include "xlstm/checkpoint/atomic_file.h"
#include "xlstm/checkpoint/json_document.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/checkpoint/safetensors_header.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

// The header's text, padded with spaces so that the data begins at a multiple of 64 bytes.
std::string make_header(const std::string& path, std::span<const TensorView> tensors,
                        const std::map<std::string, std::string>& metadata) {
  constexpr std::size_t kAlignment = 64, kLengthBytes = 8;
  // Not one big object: tensors keep their order, which a json object would sort.
  std::string header = "{";
  std::set<std::string> names;
  std::size_t offset = 0;
  const auto add = [&](const std::string& name, const json& value) {
    if (!names.insert(name).second)
      refuse(ErrorCode::invalid_argument, path, "tensor ", quote(name), ": expected once but got a duplicate");
    if (header.size() > 1) header += ',';
    header += json(name).dump();
    header += ':';
    header += value.dump();
  };
  try {
    if (!metadata.empty()) add("__metadata__", metadata);
    for (const TensorView& tensor : tensors) {
      if (tensor.name == "__metadata__")
        refuse(ErrorCode::invalid_argument, path, "expected a tensor's name but got the reserved \"__metadata__\"");
      if (tensor.name.size() > kMaxNameBytes) {
        refuse(ErrorCode::invalid_argument, path, "tensor ", quote(tensor.name), ": expected a name of at most ",
               kMaxNameBytes, " bytes but got ", tensor.name.size());
      }
      add(tensor.name, {{"dtype", safetensors_dtype_name(tensor.dtype)},
                        {"shape", tensor.shape},
                        {"data_offsets", {offset, offset + tensor.nbytes()}}});
      offset += tensor.nbytes();
    }
  } catch (const json::exception& error) {  // a name that is not UTF-8
    refuse(ErrorCode::invalid_argument, path, "expected names and metadata in UTF-8 but got an ", describe(error));
  }
  header += '}';
  header.append((kAlignment - (kLengthBytes + header.size()) % kAlignment) % kAlignment, ' ');
  if (header.size() > kMaxHeaderBytes) {
    refuse(ErrorCode::invalid_argument, path, "expected a header of at most ", kMaxHeaderBytes, " bytes but got ",
           header.size());
  }
  return header;
}

}  // namespace

std::string safetensors_head(const std::string& file, std::span<const TensorView> tensors,
                             const std::map<std::string, std::string>& metadata) {
  const std::string header = make_header(file, tensors, metadata);
  std::string length(8, '\0');
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::span<const TensorView> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path) {
  const std::string head = safetensors_head(path.string(), tensors, metadata);
  file_.write(std::as_bytes(std::span(head)));
  begin_ = {head.size()};
  for (const TensorView& tensor : tensors) begin_.push_back(begin_.back() + tensor.nbytes());
  left_ = begin_.back() - begin_.front();
}

void SafetensorsWriter::write(std::size_t index, std::size_t offset, std::span<const std::byte> bytes) {
  XLSTM_CHECK(begin_.at(index) + offset + bytes.size() <= begin_.at(index + 1));
  file_.write_at(begin_[index] + offset, bytes);
  left_ -= bytes.size();
}

void SafetensorsWriter::commit() {
  XLSTM_CHECK(left_ == 0);
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter file(path, tensors, metadata);
  for (std::size_t i = 0; i < tensors.size(); ++i) file.write(i, 0, {tensors[i].data, tensors[i].nbytes()});
  file.commit();
}

}  // namespace xlstm::checkpoint
