#include "xlstm/backend/cpu/slot_layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/backend/tiny_model.h"

namespace xlstm::testing {
namespace {

using backend::SlotLayout;

TEST(SlotLayoutTest, TensorsLieAtCacheLinesApartFromEachOther) {
  for (const TinySpec& spec : tiny_specs()) {
    const auto model = make_tiny_model(spec);
    const config::StateSpec& state = model->state_spec;
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      const SlotLayout layout(state, dtype);
      std::size_t end = 0;
      for (std::size_t i = 0; i < state.tensors.size(); ++i) {
        EXPECT_EQ(layout.offset(i) % 64, 0u) << spec.name << " " << i;
        EXPECT_GE(layout.offset(i), end) << spec.name << " " << i;
        end = layout.offset(i) + static_cast<std::size_t>(state.tensors[i].size) *
                                     dtype_size(state.tensors[i].is_matrix_memory ? dtype : DType::float32);
      }
      EXPECT_GE(layout.nbytes(), end) << spec.name;
      EXPECT_LT(layout.nbytes(), state.nbytes(dtype) + 64 * state.tensors.size()) << spec.name;
      EXPECT_EQ(layout.host_size(), static_cast<std::size_t>(state.slot_size)) << spec.name;
    }
  }
}

TEST(SlotLayoutTest, AViewFindsEveryTensorWhereTheHostsCopyWent) {
  const auto model = make_tiny_model(tiny_specs().front());
  const config::StateSpec& spec = model->state_spec;
  std::vector<float> host(static_cast<std::size_t>(spec.slot_size));
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<float>(i % 256);
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    const SlotLayout layout(spec, dtype);
    std::vector<float> memory(layout.nbytes() / sizeof(float));
    const backend::StateSlot slot = {&layout, reinterpret_cast<std::byte*>(memory.data())};
    layout.from_host(host, slot.data);
    for (std::size_t i = 0; i < spec.tensors.size(); ++i) {
      const config::StateTensor& tensor = spec.tensors[i];
      const auto size = static_cast<std::size_t>(tensor.size);
      std::vector<float> values(slot.floats(i), slot.floats(i) + (tensor.is_matrix_memory ? 0 : tensor.size));
      if (tensor.is_matrix_memory) {
        EXPECT_EQ(slot.matrix_memory(i).dtype, dtype);
        values.resize(size);
        widen_to_float32(dtype, slot.matrix_memory(i).data, size, values.data());
      }
      EXPECT_TRUE(std::equal(values.begin(), values.end(), host.begin() + tensor.offset)) << tensor.name;
    }
  }
}

}  // namespace
}  // namespace xlstm::testing
