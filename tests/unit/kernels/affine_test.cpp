// Making and reading MLX's affine groups. That the bits are MLX's own is tested beside MLX (unit/backend/mlx); here, on
// every target, that they are the scalar oracle's.
#include "xlstm/kernels/cpu/affine.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/unit/kernels/affine_matrix.h"
#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/affine.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;

class AffineTest : public OnEveryTarget {};

struct Quantized {
  std::vector<std::uint32_t> words;
  std::vector<float> scales, biases;
};

Quantized quantize(const std::vector<float>& w, int bits, std::int64_t group_size) {
  const auto count = static_cast<std::int64_t>(w.size());
  const auto groups = static_cast<std::size_t>(count / group_size);
  Quantized out = {std::vector<std::uint32_t>(static_cast<std::size_t>(count * bits / 32), 0xdeadbeef),
                   std::vector<float>(groups, NAN), std::vector<float>(groups, NAN)};
  kernels::affine_quantize(w.data(), count, bits, group_size, out.words.data(), out.scales.data(), out.biases.data());
  return out;
}

// Groups as weights have them, and the edges: constants, zeros, one-sided, denormal, huge, an outlier.
std::vector<std::vector<float>> groups_of(std::int64_t size, std::uint64_t seed) {
  Samples samples(seed);
  std::vector<std::vector<float>> groups = {samples.floats(size),
                                            samples.floats(size, 0.5f, 2.0f),
                                            samples.floats(size, -3.0f, -1.0f),
                                            samples.floats(size, -1e-3f, 1e-3f),
                                            samples.floats(size, -1e-8f, 1e-8f),
                                            samples.floats(size, -1e-40f, 1e-40f),
                                            samples.floats(size, -1e38f, 1e38f),
                                            std::vector<float>(static_cast<std::size_t>(size), 0.0f),
                                            std::vector<float>(static_cast<std::size_t>(size), -0.0f),
                                            std::vector<float>(static_cast<std::size_t>(size), 0.75f),
                                            std::vector<float>(static_cast<std::size_t>(size), -0.75f)};
  groups.push_back(samples.floats(size, -0.01f, 0.01f));
  groups.back()[7] = 100.0f;
  groups.push_back(samples.floats(size, 0.0f, 1.0f));
  groups.back()[0] = 0.0f;
  return groups;
}

TEST_P(AffineTest, QuantisesAsTheOracleDoes) {
  for (const int bits : {4, 8}) {
    for (const std::int64_t size : {32, 64, 128}) {
      std::vector<float> all;
      reference::AffineGroups expected;
      for (const std::vector<float>& group : groups_of(size, 3)) {
        reference::affine_quantize(group.data(), size, bits, expected);
        all.insert(all.end(), group.begin(), group.end());
      }
      const Quantized found = quantize(all, bits, size);
      EXPECT_EQ(found.words, expected.words) << bits << " bits, groups of " << size;
      EXPECT_TRUE(same_bits(found.scales, expected.scales)) << bits << " bits, groups of " << size;
      EXPECT_TRUE(same_bits(found.biases, expected.biases)) << bits << " bits, groups of " << size;
    }
  }
}

// The law behind the format: within half a step of the weight, or one where bending the scale to meet 0 costs range.
TEST_P(AffineTest, WhatIsReadBackIsAStepAwayAtMost) {
  for (const int bits : {4, 8}) {
    const std::vector<float> w = Samples(5).floats(64 * 40, -0.3f, 0.2f);
    const Quantized q = quantize(w, bits, 64);
    const kernels::MatrixView view = {
        DType::uint32, q.words.data(), 40, 64, {bits, 64, DType::float32, q.scales.data(), q.biases.data()}};
    for (std::int64_t r = 0; r < 40; ++r) {
      std::vector<float> row(64, NAN);
      kernels::affine_dequantize(view, r, row.data());
      for (std::size_t c = 0; c < 64; ++c) {
        const double step = std::abs(q.scales[static_cast<std::size_t>(r)]);
        ASSERT_TRUE(std::abs(row[c] - w[static_cast<std::size_t>(r) * 64 + c]) <= 1.01 * step) << bits << ' ' << r;
      }
    }
  }
}

TEST_P(AffineTest, DequantisesAsTheOracleDoes) {
  for (const int bits : {4, 8}) {
    for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
      for (const std::int64_t size : {32, 64, 128}) {
        for (const std::int64_t groups : {1, 2, 3, 65}) {
          Samples samples(static_cast<std::uint64_t>(groups + size));
          const AffineMatrix m(bits, size, dtype, 3, groups * size, groups % 2, samples);
          for (std::int64_t row = 0; row < 3; ++row) {
            Shifted<float> out(std::vector<float>(static_cast<std::size_t>(m.view.cols), NAN), 1);
            kernels::affine_dequantize(m.view, row, out.data());
            for (std::int64_t c = 0; c < m.view.cols; ++c) {
              const std::int64_t at = row * groups + c / size;
              const float product = reference::affine_parameter(m.view, m.view.groups.scales, at) *
                                    static_cast<float>(reference::affine_q(m.view, row, c));
              const float value = product + reference::affine_parameter(m.view, m.view.groups.biases, at);
              ASSERT_EQ(out.data()[c], value) << bits << ' ' << dtype_name(dtype) << " row " << row << " column " << c;
            }
          }
        }
      }
    }
  }
}

XLSTM_ON_EVERY_TARGET(AffineTest);

}  // namespace
}  // namespace xlstm::testing
