// Views of stored tensors and the float32 arrays made from them.
#include "xlstm/base/tensor_view.h"

#include <gtest/gtest.h>

#include <vector>

#include "xlstm/base/float_array.h"

namespace xlstm {
namespace {

TEST(ShapeText, ListsTheDimensions) {
  EXPECT_EQ(shape_to_string({}), "[]");
  EXPECT_EQ(shape_to_string({7}), "[7]");
  EXPECT_EQ(shape_to_string({4, 256}), "[4, 256]");
}

TEST(ShapeSize, IsTheProduct) {
  EXPECT_EQ(shape_size({}), 1);
  EXPECT_EQ(shape_size({3, 0, 5}), 0);
  EXPECT_EQ(shape_size({3, 4, 5}), 60);
}

TEST(TensorView, CountsItsBytes) {
  TensorView view{"w", DType::bfloat16, {3, 4}, nullptr, "file"};
  EXPECT_EQ(view.size(), 12);
  EXPECT_EQ(view.nbytes(), 24u);
}

TEST(FloatArray, UsesFloat32InPlace) {
  const std::vector<float> values = {1, 2, 3};
  const auto array =
      FloatArray::of({"w", DType::float32, {3}, reinterpret_cast<const std::byte*>(values.data()), "file"});
  EXPECT_EQ(array.data(), values.data());
  EXPECT_EQ(array.owned_bytes(), 0u);
  EXPECT_EQ(array.size(), 3u);
}

TEST(FloatArray, WidensOtherTypesAndCopiesShareTheValues) {
  const std::vector<std::uint16_t> bits = {0x3f80, 0xc000};  // bfloat16 1 and -2
  const auto array =
      FloatArray::of({"w", DType::bfloat16, {2}, reinterpret_cast<const std::byte*>(bits.data()), "file"});
  const FloatArray copy = array;
  EXPECT_EQ(array[0], 1.0f);
  EXPECT_EQ(array[1], -2.0f);
  EXPECT_EQ(array.owned_bytes(), 8u);
  EXPECT_EQ(copy.data(), array.data());
}

TEST(FloatArray, DefaultIsEmpty) {
  EXPECT_TRUE(FloatArray().empty());
  EXPECT_TRUE(FloatArray().span().empty());
}

}  // namespace
}  // namespace xlstm
