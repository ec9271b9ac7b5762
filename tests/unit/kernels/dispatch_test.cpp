#include "xlstm/kernels/cpu/dispatch.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>

#include "xlstm/base/error.h"

namespace xlstm::kernels {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;

std::string message_of_forcing(const std::string& name) {
  try {
    force_cpu_target(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return "no error";
}

TEST(CpuTargetTest, TheOneInUseIsTheBestOfTheList) {
  ASSERT_FALSE(cpu_targets().empty());
  force_cpu_target("");
  EXPECT_EQ(cpu_target_name(), cpu_targets().front());
}

TEST(CpuTargetTest, EveryOneOfTheListCanBeForced) {
  for (const std::string& name : cpu_targets()) {
    force_cpu_target(name);
    EXPECT_EQ(cpu_target_name(), name);
  }
  force_cpu_target("");
  EXPECT_EQ(cpu_target_name(), cpu_targets().front());
}

TEST(CpuTargetTest, ForcingOneDoesNotShortenTheList) {
  const std::vector<std::string> all = cpu_targets();
  force_cpu_target(all.back());
  EXPECT_EQ(cpu_targets(), all);
  force_cpu_target("");
}

TEST(CpuTargetTest, AnUnknownNameIsAnErrorThatNamesTheChoicesAndChangesNothing) {
  force_cpu_target(cpu_targets().back());
  for (const std::string wrong : {"AVX9000", "avx2", " AVX2", "Unknown"}) {
    const std::string message = message_of_forcing(wrong);
    EXPECT_THAT(message, AllOf(HasSubstr("[XLSTM_CPU_TARGET]"), HasSubstr("\"" + wrong + "\"")));
    for (const std::string& name : cpu_targets()) EXPECT_THAT(message, HasSubstr(name));
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_EQ(cpu_target_name(), cpu_targets().back());
  }
  force_cpu_target("");
}

TEST(CpuTargetTest, AnExtendedTargetStandsBeforeTheOneItExtends) {
  const CpuExtensions all = {true, true, true, true, true, true};
  EXPECT_THAT(extended_targets("AVX3", all), ElementsAre("AMX", "AVX512_BF16", "AVX512_VNNI", "AVX3"));
  EXPECT_THAT(extended_targets("AVX2", all), ElementsAre("AVX_VNNI", "AVX2"));
  EXPECT_THAT(extended_targets("NEON", all), ElementsAre("NEON_I8MM", "NEON_DOTPROD", "NEON"));
  EXPECT_THAT(extended_targets("SCALAR", all), ElementsAre("SCALAR"));
}

TEST(CpuTargetTest, AnExtendedTargetNeedsAllItsExtensions) {
  for (const char* highway : {"AVX3", "AVX2", "NEON"}) EXPECT_THAT(extended_targets(highway, {}), ElementsAre(highway));
  EXPECT_THAT(extended_targets("AVX3", {.avx512_vnni = true}), ElementsAre("AVX512_VNNI", "AVX3"));
  EXPECT_THAT(extended_targets("AVX3", {.avx512_bf16 = true, .amx = true}), ElementsAre("AVX3"));
  EXPECT_THAT(extended_targets("AVX3", {.avx512_vnni = true, .amx = true}), ElementsAre("AVX512_VNNI", "AVX3"));
  EXPECT_THAT(extended_targets("NEON", {.dotprod = true}), ElementsAre("NEON_DOTPROD", "NEON"));
  EXPECT_THAT(extended_targets("NEON", {.i8mm = true}), ElementsAre("NEON"));
}

TEST(CpuTargetTest, ATargetInUseHasTheExtensionsOfItsName) {
  for (const std::string& name : cpu_targets()) {
    force_cpu_target(name);
    const CpuExtensions in_use = cpu_extensions();
    EXPECT_EQ(in_use.amx, name == "AMX") << name;
    EXPECT_EQ(in_use.avx512_bf16, name == "AMX" || name == "AVX512_BF16") << name;
    EXPECT_EQ(in_use.avx512_vnni, name == "AMX" || name.starts_with("AVX512_")) << name;
    EXPECT_EQ(in_use.avx_vnni, name == "AVX_VNNI") << name;
    EXPECT_EQ(in_use.i8mm, name == "NEON_I8MM") << name;
    EXPECT_EQ(in_use.dotprod, name.starts_with("NEON_")) << name;
  }
  force_cpu_target("");
}

#if defined(__aarch64__)
TEST(CpuTargetTest, AnEmulatedCpuHasTheTargetsOfItsModel) {
  const char* model = std::getenv("QEMU_CPU");
  if (model == nullptr) GTEST_SKIP() << "not under qemu: QEMU_CPU names no model";
  if (std::string(model) == "cortex-a72") {
    EXPECT_THAT(cpu_targets(), ElementsAre("NEON"));
  } else if (std::string(model) == "neoverse-n1") {
    EXPECT_THAT(cpu_targets(), ElementsAre("NEON_DOTPROD", "NEON"));
  } else {
    ASSERT_STREQ(model, "max");
    EXPECT_THAT(cpu_targets(), ElementsAre("NEON_I8MM", "NEON_DOTPROD", "NEON"));
  }
}
#endif

// A death test of this style runs its statement in a process of its own, where the variable has not been read yet.
class CpuTargetVariableTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  [[noreturn]] static void print_target_with(const char* value) {
    setenv("XLSTM_CPU_TARGET", value, 1);
    int status = 0;
    try {
      std::fprintf(stderr, "target=%s.", cpu_target_name().c_str());
    } catch (const Error& error) {
      std::fprintf(stderr, "%s", error.what());
      status = 2;
    }
    std::_Exit(status);
  }
};

TEST_F(CpuTargetVariableTest, ForcesEveryOneOfTheList) {
  for (const std::string& name : cpu_targets()) {
    EXPECT_EXIT(print_target_with(name.c_str()), ExitedWithCode(0), "target=" + name + "\\.");
  }
}

TEST_F(CpuTargetVariableTest, EmptyMeansTheBest) {
  EXPECT_EXIT(print_target_with(""), ExitedWithCode(0), "target=" + cpu_targets().front() + "\\.");
}

TEST_F(CpuTargetVariableTest, AnUnknownNameIsAnErrorAtFirstUse) {
  EXPECT_EXIT(print_target_with("AVX9000"), ExitedWithCode(2), "expected one of .* but got .AVX9000.");
}

TEST_F(CpuTargetVariableTest, AnUnknownNameStaysAnErrorAtEveryUse) {
  EXPECT_EXIT(
      {
        setenv("XLSTM_CPU_TARGET", "AVX9000", 1);
        try {
          cpu_target_name();
        } catch (const Error&) {
          print_target_with("AVX9000");
        }
      },
      ExitedWithCode(2), "expected one of");
}

}  // namespace
}  // namespace xlstm::kernels
