#include "apps/cli/bench_sweep.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "apps/cli/numbers.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

struct Axis {
  std::string_view key;
  std::int64_t BenchPoint::*field;
  std::int64_t least, most;
};

constexpr std::array<Axis, 4> kAxes{{{"batch", &BenchPoint::batch, 1, 100'000},
                                     {"prompt", &BenchPoint::prompt, 0, 100'000'000},
                                     {"decode", &BenchPoint::decode, 0, 100'000'000},
                                     {"threads", &BenchPoint::threads, 1, 4096}}};

const Axis& axis_of(std::string_view text) {
  const std::string_view key = text.substr(0, text.find('='));
  const auto found = std::find_if(kAxes.begin(), kAxes.end(), [&](const Axis& axis) { return axis.key == key; });
  if (found == kAxes.end() || key.size() == text.size()) {
    fail(ErrorCode::invalid_argument, "--sweep", "expected KEY=N,N,... with batch, prompt, decode or threads but got '",
         text, "'");
  }
  return *found;
}

}  // namespace

std::vector<BenchPoint> sweep_points(const std::vector<std::string>& axes, const BenchPoint& base) {
  std::vector<BenchPoint> points = {base};
  std::vector<std::string_view> seen;
  for (const std::string_view text : axes) {
    const Axis& axis = axis_of(text);
    if (std::find(seen.begin(), seen.end(), axis.key) != seen.end()) {
      fail(ErrorCode::invalid_argument, "--sweep", "expected ", axis.key, " only once");
    }
    seen.push_back(axis.key);
    const std::string_view values = text.substr(axis.key.size() + 1);
    std::vector<BenchPoint> crossed;
    for (const BenchPoint& point : points) {
      for (const std::int64_t value : parse_integers(values, "--sweep", axis.least, axis.most)) {
        crossed.push_back(point);
        crossed.back().*axis.field = value;
      }
    }
    points = std::move(crossed);
  }
  return points;
}

}  // namespace xlstm::cli
