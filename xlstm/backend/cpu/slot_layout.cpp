#include "xlstm/backend/cpu/slot_layout.h"

#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

constexpr std::size_t kLine = 64;

}  // namespace

SlotLayout::SlotLayout(const config::StateSpec& spec, DType state_dtype, Holds holds)
    : state_dtype_(state_dtype), host_size_(static_cast<std::size_t>(spec.slot_size)) {
  if (state_dtype != DType::float32 && state_dtype != DType::bfloat16) {
    fail(ErrorCode::invalid_argument, "state dtype", "expected float32 or bfloat16 but got ", dtype_name(state_dtype));
  }
  for (std::size_t i = 0; i < spec.tensors.size(); ++i) {
    const config::StateTensor& tensor = spec.tensors[i];
    const std::int64_t end = i + 1 < spec.tensors.size() ? spec.tensors[i + 1].offset : spec.slot_size;
    Place place;
    place.offset = nbytes_;
    place.host_offset = static_cast<std::size_t>(tensor.offset);
    const bool held = holds == Holds::everything || !tensor.is_matrix_memory;
    place.host_size = held ? static_cast<std::size_t>(end - tensor.offset) : 0;  // padding included
    place.dtype = tensor.stored_dtype(state_dtype);
    nbytes_ += (place.host_size * dtype_size(place.dtype) + kLine - 1) / kLine * kLine;
    places_.push_back(place);
  }
}

void SlotLayout::to_host(const std::byte* slot, std::span<float> host) const {
  for (const Place& p : places_) widen_to_float32(p.dtype, slot + p.offset, p.host_size, host.data() + p.host_offset);
}

void SlotLayout::from_host(std::span<const float> host, std::byte* slot) const {
  for (const Place& p : places_)
    narrow_from_float32(p.dtype, host.data() + p.host_offset, p.host_size, slot + p.offset);
}

}  // namespace xlstm::backend
