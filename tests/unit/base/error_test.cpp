// The one way to fail: code, and one line of message.
#include "xlstm/base/error.h"

#include <gtest/gtest.h>

namespace xlstm {
namespace {

TEST(Fail, ThrowsCodeAndOneLineBuiltFromItsParts) {
  try {
    fail(ErrorCode::corrupt_file, "model.safetensors", "tensor ", 3, " expected ", 1.5, " but got ", 'x');
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt_file);
    EXPECT_STREQ(error.what(), "[model.safetensors] tensor 3 expected 1.5 but got x");
    return;
  }
  FAIL() << "did not throw";
}

TEST(Fail, IsAStandardException) { EXPECT_THROW(fail(ErrorCode::cancelled, "here"), std::runtime_error); }

TEST(Check, NamesTheBrokenPromiseInEveryBuild) {
  EXPECT_NO_THROW(XLSTM_CHECK(1 + 1 == 2));
  try {
    XLSTM_CHECK(1 + 1 == 3);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_NE(std::string(error.what()).find("broken promise: 1 + 1 == 3"), std::string::npos) << error.what();
    return;
  }
  FAIL() << "did not throw";
}

}  // namespace
}  // namespace xlstm
