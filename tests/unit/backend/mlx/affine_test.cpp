// Our affine groups against MLX itself, bit for bit: quantising in the three dtypes, and reading back.
#include "xlstm/kernels/cpu/affine.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "xlstm/backend/mlx/weights.h"
#include "xlstm/base/random.h"

namespace xlstm::backend::mlx {
namespace {

using Values = std::vector<float>;

mx::Dtype mlx_dtype(DType dtype) {
  return dtype == DType::float32 ? mx::float32 : dtype == DType::float16 ? mx::float16 : mx::bfloat16;
}

// One group of every kind in each row of 256: spread, one-sided, constant, zero, tiny, denormal, huge, an outlier.
Values edge_matrix(DType dtype) {
  const float huge = dtype == DType::float16 ? 6e4f : 3e38f;
  const std::vector<std::pair<float, float>> ranges = {
      {-1, 1},       {-0.02f, 0.03f}, {0.5f, 2},       {-3, -1},          {0.75f, 0.75f}, {-0.75f, -0.75f},
      {0, 0},        {-1e-8f, 1e-8f}, {-6e-8f, 6e-8f}, {-1e-40f, 1e-40f}, {0, huge},      {-huge, 0},
      {-huge, huge}, {0, 1},          {-1, 0},         {-1e-4f, 1e-4f},   {-2e-5f, 1e-5f}};
  Values values;
  for (std::size_t r = 0; r < ranges.size(); ++r) {
    for (std::uint64_t c = 0; c < 256; ++c) {
      const auto [low, high] = ranges[r];
      values.push_back(static_cast<float>(low + (double{high} - low) * uniform({r, c})));
    }
    if (r % 3 == 1) values[values.size() - 20] = 0;
    if (r == 1) values[values.size() - 200] = 1000;
  }
  return values;
}

Values random_matrix(std::uint64_t seed) {
  Values values(64 * 256);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double u = uniform({seed, i}), v = uniform({seed, i + values.size()});
    values[i] = static_cast<float>(0.02 * std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v));
  }
  return values;
}

Values through(DType dtype, Values values) {
  std::vector<std::byte> bytes(values.size() * dtype_size(dtype));
  narrow_from_float32(dtype, values.data(), values.size(), bytes.data());
  widen_to_float32(dtype, bytes.data(), values.size(), values.data());
  return values;
}

// The bytes of an array, which is evaluated.
std::string bytes_of(mx::array array) {
  array = mx::contiguous(array);
  array.eval();
  return {array.data<char>(), array.nbytes()};
}

std::string narrowed(DType dtype, const Values& values) {
  std::string bytes(values.size() * dtype_size(dtype), '\0');
  narrow_from_float32(dtype, values.data(), values.size(), bytes.data());
  return bytes;
}

struct Quantized {
  std::vector<std::uint32_t> words;
  Values scales, biases;
};

Quantized quantize(const Values& w, int bits, int group) {
  const std::size_t groups = w.size() / static_cast<std::size_t>(group);
  Quantized q = {std::vector<std::uint32_t>(w.size() * static_cast<std::size_t>(bits) / 32), Values(groups),
                 Values(groups)};
  kernels::affine_quantize(w.data(), std::ssize(w), bits, group, q.words.data(), q.scales.data(), q.biases.data());
  return q;
}

class AffineOfMlx : public testing::TestWithParam<DType> {
 protected:
  // Calls check(w, bits, group) for every matrix and format.
  template <class Check>
  void for_all(const Check& check) {
    const DType dtype = GetParam();
    for (const Values& values : {edge_matrix(dtype), random_matrix(1), random_matrix(2)}) {
      for (const int bits : {4, 8}) {
        for (const int group : {32, 64, 128}) {
          SCOPED_TRACE(std::to_string(bits) + " bits, groups of " + std::to_string(group));
          on_stream([&] { check(through(dtype, values), bits, group); });
        }
      }
    }
  }
  mx::array stored(const Values& w) const {
    return mx::astype(host_array(w.data(), {std::ssize(w) / 256, 256}), mlx_dtype(GetParam()));
  }
};

TEST_P(AffineOfMlx, QuantisesToTheSameBits) {
  for_all([&](const Values& w, int bits, int group) {
    const std::vector<mx::array> expected = mx::quantize(stored(w), group, bits);
    const Quantized found = quantize(w, bits, group);
    const std::string words(reinterpret_cast<const char*>(found.words.data()), found.words.size() * 4);
    EXPECT_TRUE(words == bytes_of(expected[0]));
    EXPECT_TRUE(narrowed(GetParam(), found.scales) == bytes_of(expected[1]));
    EXPECT_TRUE(narrowed(GetParam(), found.biases) == bytes_of(expected[2]));
  });
}

// With scales and biases in float32: the float32 values, and each dtype they are rounded to.
TEST_P(AffineOfMlx, DequantisesToTheSameBits) {
  for_all([&](const Values& w, int bits, int group) {
    const std::vector<mx::array> q = mx::quantize(stored(w), group, bits);
    const std::string words = bytes_of(q[0]), scales = bytes_of(q[1]), biases = bytes_of(q[2]);
    const kernels::MatrixView view = {
        DType::uint32, words.data(), std::ssize(w) / 256, 256, {bits, group, GetParam(), scales.data(), biases.data()}};
    Values found(w.size());
    for (std::int64_t r = 0; r < view.rows; ++r) kernels::affine_dequantize(view, r, found.data() + r * 256);
    const mx::array expected =
        mx::dequantize(q[0], mx::astype(q[1], mx::float32), mx::astype(q[2], mx::float32), group, bits);
    EXPECT_TRUE(narrowed(DType::float32, found) == bytes_of(expected));
    // NaN and what overflows have several spellings in 16 bits: the first matrix is left out there.
    if (w.size() != 64 * 256) return;
    for (const DType dtype : {DType::float16, DType::bfloat16}) {
      EXPECT_TRUE(narrowed(dtype, found) == bytes_of(mx::astype(expected, mlx_dtype(dtype)))) << dtype_name(dtype);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Dtypes, AffineOfMlx, testing::Values(DType::float32, DType::float16, DType::bfloat16),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

// In 16 bits MLX rounds the product and the sum. Ours is the value rounded once, so the two differ by that at most.
TEST(AffineInSixteenBits, MlxDiffersByItsOwnTwoRoundings) {
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    const double roundoff = dtype == DType::bfloat16 ? 0x1p-8 : 0x1p-11, denormal = 0x1p-25;
    const Values w = through(dtype, random_matrix(3));
    const auto [words, scales, biases, theirs] = on_stream([&] {
      const mx::array stored = mx::astype(host_array(w.data(), {64, 256}), mlx_dtype(dtype));
      const std::vector<mx::array> q = mx::quantize(stored, 64, 4);
      return std::array{bytes_of(q[0]), bytes_of(q[1]), bytes_of(q[2]),
                        bytes_of(mx::astype(mx::dequantize(q[0], q[1], q[2], 64, 4), mx::float32))};
    });
    const kernels::MatrixView view = {
        DType::uint32, words.data(), 64, 256, {4, 64, dtype, scales.data(), biases.data()}};
    for (std::size_t r = 0; r < 64; ++r) {
      Values row(256), their_row(256), bias(4);
      kernels::affine_dequantize(view, static_cast<std::int64_t>(r), row.data());
      std::memcpy(their_row.data(), theirs.data() + r * 256 * sizeof(float), 256 * sizeof(float));
      widen_to_float32(dtype, biases.data() + r * 4 * 2, 4, bias.data());
      for (std::size_t c = 0; c < 256; ++c) {
        const double value = row[c], product = value - double{bias[c / 64]};
        const double bound = roundoff * (1 + roundoff) * (std::abs(product) + std::abs(value)) + 2 * denormal;
        ASSERT_TRUE(std::abs(their_row[c] - value) <= bound) << r << ' ' << c << ' ' << their_row[c] << ' ' << value;
      }
    }
  }
}

}  // namespace
}  // namespace xlstm::backend::mlx
