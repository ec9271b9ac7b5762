// The norms of the oracle with the error that float32 may add to them.
#pragma once

#include <cmath>
#include <vector>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/norms.h"

namespace xlstm::testing {

struct NormOracle {
  std::vector<double> values, bound;
};

/// mean(x^2): n + 1 roundings of a sum of positive terms, halved by the square root; then sqrt, 1 / root and two
/// products: (n / 2 + 6) u of the product, and the shift's own rounding.
inline NormOracle rms_norm_oracle(const std::vector<float>& x, bool weighted, const std::vector<float>& weight,
                                  const std::vector<float>& bias, double eps) {
  const std::vector<double> xd = widened(x), wd = widened(weight), bd = widened(bias);
  const auto n = static_cast<std::int64_t>(x.size());
  NormOracle result = {std::vector<double>(x.size()), std::vector<double>(x.size())};
  kernels::reference::rms_norm<double>(xd.data(), n, weighted ? wd.data() : nullptr, weighted ? bd.data() : nullptr,
                                       eps, result.values.data());
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double shift = weighted ? std::abs(bd[j]) : 0.0, product = std::abs(result.values[j]) + shift;
    result.bound[j] = (static_cast<double>(n) / 2 + 6) * kUnit * product + kUnit * (product + shift);
  }
  return result;
}

/// The mean is off by at most n u mean|x|, which moves every x - mean and the variance by its square; the rest is as in
/// rms_norm_oracle.
inline NormOracle group_norm_oracle(const std::vector<float>& x, std::int64_t groups, bool weighted,
                                    const std::vector<float>& weight, const std::vector<float>& bias, double eps) {
  const std::vector<double> xd = widened(x), wd = widened(weight), bd = widened(bias);
  const std::size_t size = x.size(), width = size / static_cast<std::size_t>(groups);
  NormOracle result = {std::vector<double>(size), std::vector<double>(size)};
  kernels::reference::group_norm<double>(xd.data(), static_cast<std::int64_t>(size), groups,
                                         weighted ? wd.data() : nullptr, weighted ? bd.data() : nullptr, eps,
                                         result.values.data());
  for (std::size_t j = 0; j < size; ++j) {
    const std::size_t first = j / width * width;
    const auto n = static_cast<double>(width);
    double mean = 0, absolute = 0, variance = 0;
    for (std::size_t k = first; k < first + width; ++k) mean += xd[k] / n, absolute += std::abs(xd[k]) / n;
    for (std::size_t k = first; k < first + width; ++k) variance += (xd[k] - mean) * (xd[k] - mean) / n;
    const double root = std::sqrt(variance + eps), mean_error = n * kUnit * absolute;
    const double scale = (weighted ? std::abs(wd[j]) : 1.0) / root, shift = weighted ? std::abs(bd[j]) : 0.0;
    const double product = std::abs(xd[j] - mean) * scale;
    const double moved = mean_error / root;  // of the mean, in units of the root
    result.bound[j] = mean_error * scale + product * ((n / 2 + 8) * kUnit + moved * moved) +
                      kUnit * (product + 2 * shift) + kUnit * std::abs(result.values[j]);
  }
  return result;
}

}  // namespace xlstm::testing
