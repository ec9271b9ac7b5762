#include "xlstm/sampling/softmax.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "xlstm/base/error.h"

namespace xlstm::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Independent accumulators: the compiler may not reorder float sums itself, and one chain of adds would cost four
// cycles each.
constexpr std::size_t kLanes = 8;
constexpr std::size_t kBlock = 256;  // weights summed together; the draw walks blocks, then one block

constexpr std::int32_t kMagnitudeBits = 0x7fffffff;
constexpr std::int32_t kInfinityBits = 0x7f800000;

// exp(x) for x <= 0, written so that the loop around it becomes vector code: libm's is a call an element, and a
// comparison of floats counts as control flow (it may trap), which one of integers does not. x = n ln2 + r with |r| <=
// ln2/2; polynomial of Cephes' expf. From -88 down n is -127, whose power of two has all bits zero: 0.
inline float exp_nonpositive(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(value) in the low bits
  constexpr auto kLimit = std::bit_cast<std::int32_t>(88.0f);
  const std::int32_t magnitude = std::bit_cast<std::int32_t>(x) & kMagnitudeBits;
  const float clamped = -std::bit_cast<float>(magnitude < kLimit ? magnitude : kLimit);
  const float shifted = clamped * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float mantissa = p * r * r + r + 1.0f;
  const float power = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127u) << 23);
  return mantissa * power;
}

double block_sum(const float* weights, std::size_t count) {
  std::array<double, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += static_cast<double>(weights[i + lane]);
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(weights[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// The index inside one block, `target` in [0, sum of the block) up to rounding; the last positive weight takes what
// rounding leaves.
std::size_t find_in_block(std::span<const float> weights, double target) {
  std::size_t last_positive = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] > 0.0f)) continue;
    if (target < static_cast<double>(weights[i])) return i;
    target -= static_cast<double>(weights[i]);
    last_positive = i;
  }
  return last_positive;
}

}  // namespace

float checked_max(std::span<const float> scores) {
  // Integers that are ordered as the floats are; the largest magnitude tells a NaN.
  std::int32_t largest = std::numeric_limits<std::int32_t>::min(), largest_magnitude = 0;
  for (const float score : scores) {
    const auto bits = std::bit_cast<std::int32_t>(score);
    const std::int32_t key = bits ^ ((bits >> 31) & kMagnitudeBits);
    const std::int32_t magnitude = bits & kMagnitudeBits;
    largest = key > largest ? key : largest;
    largest_magnitude = magnitude > largest_magnitude ? magnitude : largest_magnitude;
  }
  if (largest_magnitude > kInfinityBits) {
    const auto at = std::find_if(scores.begin(), scores.end(), [](float score) { return std::isnan(score); });
    fail(ErrorCode::internal, "logits", "expected numbers but got NaN at id ", at - scores.begin());
  }
  const float max = scores.empty() ? -kInfinity : std::bit_cast<float>(largest ^ ((largest >> 31) & kMagnitudeBits));
  if (max == kInfinity) {
    const auto at = std::find(scores.begin(), scores.end(), kInfinity);
    fail(ErrorCode::internal, "logits", "expected finite numbers but got +inf at id ", at - scores.begin());
  }
  if (max == -kInfinity) {
    fail(ErrorCode::internal, "logits", "expected at least one id to choose from but all ", scores.size(),
         " are masked or -inf");
  }
  return max;
}

double softmax_weights(std::span<const float> scores, float max, float temperature, std::span<float> weights) {
  const std::size_t count = scores.size();
  const float* const from = scores.data();
  float* const to = weights.data();
  // A division, not a product with 1/temperature: that would be infinite for a tiny temperature, and 0 * inf is NaN.
  for (std::size_t i = 0; i < count; ++i) to[i] = exp_nonpositive((from[i] - max) / temperature);
  double total = 0;
  for (std::size_t i = 0; i < count; i += kBlock) total += block_sum(to + i, std::min(kBlock, count - i));
  return total;
}

std::size_t inverse_cdf(std::span<const float> weights, double total, double uniform) {
  double target = uniform * total;
  std::size_t last_positive = 0;  // begin of the last block with any weight: takes what rounding leaves
  for (std::size_t i = 0; i < weights.size(); i += kBlock) {
    const std::size_t count = std::min(kBlock, weights.size() - i);
    const double sum = block_sum(weights.data() + i, count);
    if (target < sum) return i + find_in_block(weights.subspan(i, count), target);
    target -= sum;
    if (sum > 0) last_positive = i;
  }
  const std::size_t count = std::min(kBlock, weights.size() - last_positive);
  return last_positive + find_in_block(weights.subspan(last_positive, count), total);
}

}  // namespace xlstm::sampling
