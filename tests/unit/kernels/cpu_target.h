// Runs a test once on every CPU target that this machine has.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::testing {

/// The parameter is a target's name; the target is forced for the test and let go after it.
class OnEveryTarget : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    kernels::force_cpu_target(GetParam());
    ASSERT_EQ(kernels::cpu_target_name(), GetParam());
  }
  void TearDown() override { kernels::force_cpu_target(""); }
};

inline std::string target_of(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace xlstm::testing

/// After the tests of a suite that derives from OnEveryTarget.
#define XLSTM_ON_EVERY_TARGET(suite)                                                         \
  INSTANTIATE_TEST_SUITE_P(Cpu, suite, ::testing::ValuesIn(::xlstm::kernels::cpu_targets()), \
                           ::xlstm::testing::target_of)
