// Where the state of a sequence lies in the memory of the CPU backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "xlstm/base/dtype.h"
#include "xlstm/config/state_spec.h"
#include "xlstm/kernels/cpu/matrix_memory.h"

namespace xlstm::backend {

/// The tensors of a config::StateSpec one after another, each at a cache line: matrix memories in `state_dtype`
/// (float32 or bfloat16), everything else in float32. Tensors are counted as in the spec.
class SlotLayout {
 public:
  enum class Holds { everything, all_but_matrix_memories };
  /// Errors: invalid_argument for another dtype.
  SlotLayout(const config::StateSpec& spec, DType state_dtype, Holds holds = Holds::everything);

  DType state_dtype() const noexcept { return state_dtype_; }
  /// Bytes of one slot, whole cache lines, and float32 values of its StateSpec form; both with padding.
  std::size_t nbytes() const noexcept { return nbytes_; }
  std::size_t host_size() const noexcept { return host_size_; }
  std::size_t offset(std::size_t tensor) const noexcept { return places_[tensor].offset; }
  /// Values of a tensor, padding included; 0 of one that it does not hold.
  std::size_t size(std::size_t tensor) const noexcept { return places_[tensor].host_size; }

  /// Between a slot and host_size() float32 values. Out is exact; in rounds what is kept narrower to nearest even.
  void to_host(const std::byte* slot, std::span<float> host) const;
  void from_host(std::span<const float> host, std::byte* slot) const;

 private:
  struct Place {
    std::size_t offset = 0;  // in bytes
    std::size_t host_offset = 0, host_size = 0;
    DType dtype = DType::float32;
  };
  std::vector<Place> places_;
  DType state_dtype_;
  std::size_t nbytes_ = 0, host_size_ = 0;
};

/// The state of one sequence where it lies; a view.
struct StateSlot {
  const SlotLayout* layout = nullptr;
  std::byte* data = nullptr;

  float* floats(std::size_t tensor) const noexcept { return reinterpret_cast<float*>(data + layout->offset(tensor)); }
  kernels::MatrixMemory matrix_memory(std::size_t tensor) const noexcept {
    return {layout->state_dtype(), data + layout->offset(tensor)};
  }
};

}  // namespace xlstm::backend
