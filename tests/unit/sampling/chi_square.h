// Pearson's goodness-of-fit test, with the p-value from the incomplete gamma function.
#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <vector>

#include "reference_distribution.h"

namespace xlstm::sampling {

// Probability that a chi-square variable with `degrees` degrees of freedom exceeds `statistic`: Q(degrees / 2,
// statistic / 2), by the series of P below its mean and by Lentz's continued fraction above (Numerical Recipes,
// section 6.2, the formulas).
inline double chi_square_tail(double statistic, double degrees) {
  const double a = degrees / 2, x = statistic / 2;
  if (x <= 0) return 1;
  const double scale = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int n = 1; n < 10'000 && term > sum * 1e-17; ++n) sum += term *= x / (a + n);
    return 1 - scale * sum;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (int n = 1; n < 10'000; ++n) {
    const double an = -n * (n - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    fraction *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return scale * fraction;
}

// p-value of `counts` (id -> draws) against `expected` (sorted by falling probability). Cells are pooled from the least
// probable up until each expects at least 5 draws. A draw of an id that has no probability gives 0.
inline double goodness_of_fit(const std::map<TokenId, std::size_t>& counts, const Ranked& expected) {
  double draws = 0, known = 0;
  for (const auto& [id, count] : counts) draws += static_cast<double>(count);
  double statistic = 0, cell_expected = 0, cell_observed = 0;
  int cells = 0;
  std::vector<std::pair<double, double>> pooled;
  for (auto entry = expected.rbegin(); entry != expected.rend(); ++entry) {
    const auto found = counts.find(entry->first);
    const double observed = found == counts.end() ? 0.0 : static_cast<double>(found->second);
    known += observed;
    cell_observed += observed;
    cell_expected += draws * static_cast<double>(entry->second);
    if (cell_expected < 5 && std::next(entry) != expected.rend()) continue;
    pooled.emplace_back(cell_observed, cell_expected);
    cell_observed = cell_expected = 0;
  }
  if (known != draws) return 0;
  for (const auto& [observed, mean] : pooled) {
    statistic += (observed - mean) * (observed - mean) / mean;
    ++cells;
  }
  return cells < 2 ? 1 : chi_square_tail(statistic, cells - 1);
}

}  // namespace xlstm::sampling
