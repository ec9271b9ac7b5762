#include <cmath>
#include <cstring>
#include <limits>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/cpu/quantized_gemv.h"
#include "xlstm/kernels/cpu/quantized_layout.h"
#include "xlstm/kernels/reference/affine.h"

namespace xlstm::testing {
namespace {

using kernels::quantize_vector;
using kernels::quantized_layout;
using kernels::quantized_vector_bytes;
using kernels::QuantizedFormat;
using kernels::QuantizedLayout;
using kernels::reference::quantize_activations;
using kernels::reference::QuantizedActivations;

/// A quantised vector read back by the description of its layout.
struct Unpacked {
  std::vector<float> scales, sums;
  std::vector<std::int32_t> q;
  bool rest_is_zero = true;
};

std::int32_t element(const std::byte* at, std::int64_t size) {
  std::int8_t narrow;
  std::int16_t wide;
  std::memcpy(&narrow, at, sizeof(narrow));
  std::memcpy(&wide, at, static_cast<std::size_t>(size));
  return size == 1 ? narrow : wide;
}

Unpacked unpack(const QuantizedFormat& format, const std::byte* vector, std::int64_t cols) {
  const QuantizedLayout layout = quantized_layout(format, cols);
  const std::int64_t word_cols = 32 / format.weight_bits, size = layout.planes ? 1 : layout.element_bytes;
  const std::int64_t parts = layout.planes ? layout.parts / 2 : layout.parts, elements = 4 / size;
  const auto* floats = reinterpret_cast<const float*>(vector);
  Unpacked out;
  for (std::int64_t g = 0; g < layout.num_groups; ++g) {
    if (g < cols / format.group_size) {
      out.scales.push_back(floats[g]);
      out.sums.push_back(floats[layout.num_groups + g]);
    } else {
      out.rest_is_zero = out.rest_is_zero && floats[g] == 0 && floats[layout.num_groups + g] == 0;
    }
  }
  for (std::int64_t c = 0; c < (cols + 16 * word_cols - 1) / (16 * word_cols) * 16 * word_cols; ++c) {
    const std::int64_t word = c / word_cols, part = c % word_cols % parts, e = c % word_cols / parts;
    EXPECT_LT(e, elements);
    const std::int64_t at = layout.q() + (word / 16 * layout.parts + part) * 64 + word % 16 * 4 + e * size;
    std::int32_t q = element(vector + at, size);
    if (layout.planes) q = q * 256 + static_cast<std::uint8_t>(vector[at + parts * 64]);
    if (c < cols) {
      out.q.push_back(q);
    } else {
      out.rest_is_zero = out.rest_is_zero && q == 0;
    }
  }
  return out;
}

class QuantizeVectorTest : public OnEveryTarget {
 protected:
  static void expect_oracle(const QuantizedFormat& format, const std::vector<float>& x) {
    const auto cols = static_cast<std::int64_t>(x.size());
    const Shifted<float> in(x, 1);
    Shifted<std::byte> out(
        std::vector<std::byte>(static_cast<std::size_t>(quantized_vector_bytes(format, cols)), std::byte{0xff}));
    quantize_vector(format, in.data(), cols, out.data());
    const Unpacked actual = unpack(format, out.data(), cols);
    const QuantizedActivations expected = quantize_activations(format.type, format.group_size, x.data(), cols);
    ASSERT_EQ(actual.q, expected.q);
    ASSERT_TRUE(actual.rest_is_zero);
    for (std::size_t g = 0; g < expected.scale.size(); ++g) {
      const float s = expected.scale[g];
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < format.group_size; ++i) {
        sum += expected.q[g * static_cast<std::size_t>(format.group_size) + static_cast<std::size_t>(i)];
      }
      if (std::isnan(s)) {
        ASSERT_TRUE(std::isnan(actual.scales[g]) && std::isnan(actual.sums[g])) << g;
      } else {
        ASSERT_TRUE(same_bits({actual.scales[g]}, {s})) << g << ": " << actual.scales[g] << " " << s;
        ASSERT_EQ(actual.sums[g], s * static_cast<float>(sum)) << g;
      }
    }
  }

  template <class Check>
  static void for_every_format(Check check) {
    for (const DType type : {DType::int8, DType::int16}) {
      for (const int bits : {4, 8}) {
        for (const std::int64_t group_size : {32, 64, 128}) {
          check(QuantizedFormat{type, bits, group_size});
          if (HasFatalFailure()) FAIL() << dtype_name(type) << " x " << bits << " bits, groups of " << group_size;
        }
      }
    }
  }
};

TEST_P(QuantizeVectorTest, HasTheOraclesBitsForEveryNumberOfGroups) {
  for_every_format([](const QuantizedFormat& format) {
    for (std::int64_t groups = 0; groups <= 40; ++groups) {
      Samples samples(static_cast<std::uint64_t>(groups));
      std::vector<float> x;
      for (std::int64_t g = 0; g < groups; ++g) {
        const float size = std::exp2(samples.next(-120, 120));
        for (const float value : samples.floats(format.group_size, -size, size)) x.push_back(value);
      }
      expect_oracle(format, x);
    }
  });
}

TEST_P(QuantizeVectorTest, RoundsTiesToEven) {
  for_every_format([](const QuantizedFormat& format) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < format.group_size; ++i) x.push_back(static_cast<float>(i) - 15.5f);
    x[0] = format.type == DType::int8 ? 127.0f : 32767.0f;  // a factor of 1
    expect_oracle(format, x);
  });
}

TEST_P(QuantizeVectorTest, HoldsTheSmallestAndTheLargestNumbers) {
  using Limits = std::numeric_limits<float>;
  for_every_format([](const QuantizedFormat& format) {
    const float limit = format.type == DType::int8 ? 127.0f : 32767.0f, least = limit * Limits::min();
    for (const float largest : {0.0f, -0.0f, Limits::denorm_min(), Limits::min(), std::nextafter(least, 0.0f), least,
                                std::nextafter(least, 1.0f), -least, Limits::max(), Limits::lowest(), limit, -limit}) {
      std::vector<float> x(static_cast<std::size_t>(2 * format.group_size), 0.0f);
      x[static_cast<std::size_t>(format.group_size - 1)] = largest;
      x[1] = largest / 3;
      expect_oracle(format, x);
    }
  });
}

TEST_P(QuantizeVectorTest, AGroupWithANumberThatIsNotFiniteIsNotANumberWhereverItStands) {
  for_every_format([](const QuantizedFormat& format) {
    for (std::int64_t at = 0; at < 3 * format.group_size; ++at) {
      for (const float value : {NAN, -NAN, INFINITY, -INFINITY}) {
        std::vector<float> x = Samples(static_cast<std::uint64_t>(at)).floats(3 * format.group_size);
        x[static_cast<std::size_t>(at)] = value;
        expect_oracle(format, x);
      }
    }
  });
}

XLSTM_ON_EVERY_TARGET(QuantizeVectorTest);

}  // namespace
}  // namespace xlstm::testing
