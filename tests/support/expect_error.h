// What tests ask of an error.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::tests {

/// f() must throw an Error of one line that has the code and says `part`.
template <class F>
void expect_error(ErrorCode code, const std::string& part, F&& f) {
  try {
    std::forward<F>(f)();
    ADD_FAILURE() << "no error; expected one that says \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("\n")));
  }
}

}  // namespace xlstm::tests
