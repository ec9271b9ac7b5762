// Numbers as numpy arrays of their own memory.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace nb = nanobind;

namespace xlstm::python {

/// float32 of the given shape, row-major. Nothing is copied: the array owns the values.
inline nb::object to_numpy(std::vector<float> values, const std::vector<std::size_t>& shape) {
  auto* const kept = new std::vector<float>(std::move(values));
  const nb::capsule owner(kept, [](void* values_of) noexcept { delete static_cast<std::vector<float>*>(values_of); });
  return nb::cast(nb::ndarray<nb::numpy, float>(kept->data(), shape.size(), shape.data(), owner),
                  nb::rv_policy::reference);
}

inline nb::object to_numpy(std::vector<float> values) {
  const std::size_t size = values.size();
  return to_numpy(std::move(values), {size});
}

}  // namespace xlstm::python
