// The points of a sweep: the cross product of its axes, and what is refused.
#include "apps/cli/bench_sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

using Point = std::vector<std::int64_t>;

std::vector<Point> points(const std::vector<std::string>& axes) {
  std::vector<Point> points;
  for (const BenchPoint& point : sweep_points(axes, {1, 512, 32, 0})) {
    points.push_back({point.batch, point.prompt, point.decode, point.threads});
  }
  return points;
}

void expect_refused(const std::vector<std::string>& axes, const std::string& part) {
  try {
    sweep_points(axes, {});
    FAIL() << "no error; expected one that says \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), testing::HasSubstr("[--sweep]"));
    EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

TEST(Sweep, WithoutAxesIsThePointItself) { EXPECT_EQ(points({}), (std::vector<Point>{{1, 512, 32, 0}})); }

TEST(Sweep, AnAxisTakesItsValuesInTheirOrder) {
  EXPECT_EQ(points({"batch=4,1"}), (std::vector<Point>{{4, 512, 32, 0}, {1, 512, 32, 0}}));
  EXPECT_EQ(points({"prompt=0"}), (std::vector<Point>{{1, 0, 32, 0}}));
  EXPECT_EQ(points({"decode=7"}), (std::vector<Point>{{1, 512, 7, 0}}));
  EXPECT_EQ(points({"threads=2"}), (std::vector<Point>{{1, 512, 32, 2}}));
}

TEST(Sweep, AxesAreCrossedTheLastOneFastest) {
  EXPECT_EQ(points({"batch=1,2", "prompt=8,9"}),
            (std::vector<Point>{{1, 8, 32, 0}, {1, 9, 32, 0}, {2, 8, 32, 0}, {2, 9, 32, 0}}));
}

TEST(Sweep, RefusesOtherKeysAndNamesTheChoices) {
  for (const char* axis : {"speed=1", "batch", "", "=1", "Batch=1"}) {
    expect_refused({axis}, std::string("batch, prompt, decode or threads but got '") + axis + "'");
  }
  expect_refused({"batch=1", "batch=2"}, "expected batch only once");
}

TEST(Sweep, RefusesOtherValues) {
  expect_refused({"batch="}, "integers from 1 to 100000 as in 1,2,4 but got ''");
  expect_refused({"batch=1,"}, "but got ''");
  expect_refused({"batch=0"}, "integers from 1 to 100000 as in 1,2,4 but got '0'");
  expect_refused({"prompt=-1"}, "integers from 0 to 100000000 as in 1,2,4 but got '-1'");
  expect_refused({"decode=1.5"}, "but got '1.5'");
  expect_refused({"threads=0"}, "integers from 1 to 4096");
  expect_refused({"threads=4097"}, "but got '4097'");
  expect_refused({"batch=99999999999999999999"}, "but got '99999999999999999999'");
}

}  // namespace
}  // namespace xlstm::cli
