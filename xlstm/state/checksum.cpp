#include "xlstm/state/checksum.h"

#include <span>

#include "xlstm/base/hash.h"

namespace xlstm::state {
namespace {

void add(Hasher& hasher, std::span<const std::byte> bytes) {
  hasher.update(std::to_string(bytes.size()) + ':').update(bytes).update(",");
}

void add(Hasher& hasher, std::string_view text) { add(hasher, std::as_bytes(std::span(text))); }

}  // namespace

std::string checksum(const std::map<std::string, std::string>& metadata,
                     const std::map<std::string, TensorView>& tensors) {
  Hasher hasher;
  for (const auto& [key, value] : metadata) {
    if (key == kChecksum) continue;
    add(hasher, key);
    add(hasher, value);
  }
  for (const auto& [name, view] : tensors) {
    add(hasher, name);
    add(hasher, dtype_name(view.dtype));
    add(hasher, shape_to_string(view.shape));
    add(hasher, std::span(view.data, view.nbytes()));
  }
  return hasher.digest();
}

}  // namespace xlstm::state
