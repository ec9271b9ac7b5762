// Scales that are searched for: never worse than mx::quantize's, near the best there are, the same bits on every
// target.
#include "xlstm/kernels/cpu/affine_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/affine.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;

class AffineSearchTest : public OnEveryTarget {};

struct Found {
  std::vector<std::uint32_t> words;
  float scale = NAN, bias = NAN;

  bool operator==(const Found&) const = default;
};

Found search(const std::vector<float>& w, int bits, DType dtype) {
  const auto size = static_cast<std::int64_t>(w.size());
  Found found = {std::vector<std::uint32_t>(w.size() * static_cast<std::size_t>(bits) / 32, 0xdeadbeef)};
  kernels::affine_search(w.data(), size, bits, size, dtype, found.words.data(), &found.scale, &found.bias);
  return found;
}

// As mx::quantize does it, scale and bias then rounded as they are stored.
Found by_mlx(const std::vector<float>& w, int bits, DType dtype) {
  reference::AffineGroups groups;
  reference::affine_quantize(w.data(), static_cast<std::int64_t>(w.size()), bits, groups);
  std::byte stored[4];
  const auto rounded = [&](float value) {
    narrow_from_float32(dtype, &value, 1, stored);
    widen_to_float32(dtype, stored, 1, &value);
    return value;
  };
  return {groups.words, rounded(groups.scales[0]), rounded(groups.biases[0])};
}

double squared_error(const std::vector<float>& w, int bits, const Found& found) {
  const auto cols = static_cast<std::int64_t>(w.size());
  const kernels::MatrixView view = {
      DType::uint32, found.words.data(), 1, cols, {bits, cols, DType::float32, &found.scale, &found.bias}};
  double sum = 0;
  for (std::int64_t c = 0; c < cols; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double miss = static_cast<double>(w[i]) - reference::affine_value(view, 0, c);
    sum += miss * miss;
  }
  return sum;
}

std::vector<float> bell_shaped(std::int64_t size, std::uint64_t seed) {
  Samples samples(seed);
  std::vector<float> w(static_cast<std::size_t>(size));
  for (float& value : w) {
    for (int i = 0; i < 12; ++i) value += samples.next(-0.01f, 0.01f);
  }
  return w;
}

std::vector<std::vector<float>> groups_of(std::int64_t size, std::uint64_t seed) {
  Samples samples(seed);
  std::vector<std::vector<float>> groups = {bell_shaped(size, seed),
                                            samples.floats(size),
                                            samples.floats(size, 0.5f, 2.0f),
                                            samples.floats(size, -3.0f, -1.0f),
                                            samples.floats(size, -1e-8f, 1e-8f),
                                            samples.floats(size, -1e-40f, 1e-40f),
                                            std::vector<float>(static_cast<std::size_t>(size), 0.0f),
                                            std::vector<float>(static_cast<std::size_t>(size), -0.0f),
                                            std::vector<float>(static_cast<std::size_t>(size), 0.7501f)};
  groups.push_back(samples.floats(size, -0.01f, 0.01f));
  groups.back()[7] = 100.0f;
  return groups;
}

template <class F>
void for_all_groups(F&& f) {
  for (const int bits : {4, 8}) {
    for (const std::int64_t size : {32, 64, 128}) {
      for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
        for (const std::vector<float>& w : groups_of(size, static_cast<std::uint64_t>(size))) {
          SCOPED_TRACE(std::to_string(bits) + " bits, " + std::to_string(size) + ", first weight " +
                       std::to_string(w[0]));
          f(w, bits, dtype);
        }
      }
    }
  }
}

TEST_P(AffineSearchTest, IsNeverWorseThanMlx) {
  for_all_groups([](const std::vector<float>& w, int bits, DType dtype) {
    EXPECT_LE(squared_error(w, bits, search(w, bits, dtype)), squared_error(w, bits, by_mlx(w, bits, dtype)));
  });
}

TEST_P(AffineSearchTest, ScaleAndBiasAreNumbersOfTheirDtypeAndEveryQIsTheNearest) {
  for_all_groups([](const std::vector<float>& w, int bits, DType dtype) {
    const Found found = search(w, bits, dtype);
    std::byte stored[4];
    for (const float value : {found.scale, found.bias}) {
      float back = NAN;
      narrow_from_float32(dtype, &value, 1, stored);
      widen_to_float32(dtype, stored, 1, &back);
      EXPECT_EQ(value, back);
    }
    const auto cols = static_cast<std::int64_t>(w.size());
    const kernels::MatrixView view = {
        DType::uint32, found.words.data(), 1, cols, {bits, cols, DType::float32, &found.scale, &found.bias}};
    const float largest = static_cast<float>((1 << bits) - 1);
    for (std::int64_t c = 0; c < cols; ++c) {  // of two that are as near, up to rounding, either
      const float q = std::clamp((w[static_cast<std::size_t>(c)] - found.bias) / found.scale, 0.0f, largest);
      ASSERT_TRUE(std::abs(static_cast<float>(reference::affine_q(view, 0, c)) - q) <= 0.5001f) << c << ' ' << q;
    }
  });
}

TEST_P(AffineSearchTest, HasTheBitsOfTheScalarTarget) {
  for_all_groups([](const std::vector<float>& w, int bits, DType dtype) {
    const std::string target = kernels::cpu_target_name();
    const Found here = search(w, bits, dtype);
    kernels::force_cpu_target(kernels::cpu_targets().back());
    EXPECT_EQ(here, search(w, bits, dtype));
    kernels::force_cpu_target(target);
  });
}

// The best of very many lines, found without any of the search's own steps.
double best_of_many(const std::vector<float>& w, int bits) {
  const auto [least, most] = std::minmax_element(w.begin(), w.end());
  const double low = static_cast<double>(*least), range = static_cast<double>(*most) - low, last = (1 << bits) - 1;
  double best = std::numeric_limits<double>::infinity();
  for (double from = -0.05; from < 0.3; from += 0.005) {
    for (double to = -0.05; to < 0.3; to += 0.005) {
      const double bias = low + from * range, scale = range * (1 - from - to) / last;
      double sum = 0;
      for (const float value : w) {
        const double at = static_cast<double>(value) - bias;
        const double miss = at - scale * std::clamp(std::nearbyint(at / scale), 0.0, last);
        sum += miss * miss;
      }
      best = std::min(best, sum);
    }
  }
  return best;
}

TEST_P(AffineSearchTest, IsNearTheBestThereIs) {
  double found = 0, best = 0, mlx = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> w = bell_shaped(64, seed);
    found += squared_error(w, 4, search(w, 4, DType::float32));
    best += best_of_many(w, 4);
    mlx += squared_error(w, 4, by_mlx(w, 4, DType::float32));
  }
  EXPECT_LT(found, 1.02 * best);
  EXPECT_LT(found, 0.9 * mlx);
}

TEST_P(AffineSearchTest, MeetsWeightsThatLieOnALineExactly) {
  for (const int bits : {4, 8}) {
    std::vector<float> w(64);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = -0.75f + 0.125f * static_cast<float>(i * 37 % (1u << bits));
    w[0] = -0.75f;
    w[1] = -0.75f + 0.125f * static_cast<float>((1 << bits) - 1);
    EXPECT_EQ(squared_error(w, bits, search(w, bits, DType::bfloat16)), 0.0);
  }
}

TEST_P(AffineSearchTest, GroupsDoNotKnowEachOther) {
  const std::vector<float> a = bell_shaped(32, 3), b = bell_shaped(32, 4);
  std::vector<float> both = a, scales(2, NAN), biases(2, NAN);
  both.insert(both.end(), b.begin(), b.end());
  std::vector<std::uint32_t> words(8, 0xdeadbeef);
  kernels::affine_search(both.data(), 64, 4, 32, DType::bfloat16, words.data(), scales.data(), biases.data());
  EXPECT_EQ((Found{{words.begin(), words.begin() + 4}, scales[0], biases[0]}), search(a, 4, DType::bfloat16));
  EXPECT_EQ((Found{{words.begin() + 4, words.end()}, scales[1], biases[1]}), search(b, 4, DType::bfloat16));
}

TEST_P(AffineSearchTest, WhatTheDtypeCannotHoldComesBackAsMlxHasIt) {
  Samples samples(8);
  const std::vector<float> w = samples.floats(64, -1e6f, 1e6f);
  reference::AffineGroups mlx;
  reference::affine_quantize(w.data(), 64, 4, mlx);
  const Found found = search(w, 4, DType::float16);
  EXPECT_EQ(found.scale, mlx.scales[0]);
  EXPECT_EQ(found.bias, mlx.biases[0]);
  EXPECT_FALSE(std::isfinite(search(samples.floats(64, -3e38f, 3e38f), 4, DType::float32).scale));
}

XLSTM_ON_EVERY_TARGET(AffineSearchTest);

}  // namespace
}  // namespace xlstm::testing
