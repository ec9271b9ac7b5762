// What tests ask of a refusal.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "apps/server/api/errors.h"

namespace xlstm::server::api {

/// f() must throw an ApiError of one line with this status, code and parameter.
template <class F>
void expect_refusal(int status, const std::string& code, const std::string& param, F&& f) {
  try {
    std::forward<F>(f)();
    ADD_FAILURE() << "expected " << status << " " << code << " of \"" << param << "\" but nothing was thrown";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, status) << error.what();
    EXPECT_EQ(error.code, code) << error.what();
    EXPECT_EQ(error.param, param) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

}  // namespace xlstm::server::api
