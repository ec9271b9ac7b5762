#include "apps/server/api/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/api/fake_exchange.h"
#include "xlstm/base/error.h"

namespace xlstm::server::api {
namespace {

ApiError of(ErrorCode code, const std::string& message) {
  return to_api_error(std::make_exception_ptr(Error(code, message)), "request-1");
}

TEST(Errors, EveryCodeHasItsStatus) {
  EXPECT_EQ(of(ErrorCode::invalid_argument, "x").status, 400);
  EXPECT_EQ(of(ErrorCode::unsupported, "x").status, 400);
  EXPECT_EQ(of(ErrorCode::not_found, "x").status, 404);
  EXPECT_EQ(of(ErrorCode::corrupt_file, "x").status, 422);
  EXPECT_EQ(of(ErrorCode::internal, "x").status, 500);
  EXPECT_EQ(to_api_error(std::make_exception_ptr(std::bad_alloc()), "").status, 503);
  EXPECT_TRUE(is_cancelled(std::make_exception_ptr(Error(ErrorCode::cancelled, "x"))));
  EXPECT_FALSE(is_cancelled(std::make_exception_ptr(Error(ErrorCode::internal, "x"))));
}

TEST(Errors, NoMemoryIs503AndTellsWhenToComeBack) {
  const HttpResponse memory = error_response(of(ErrorCode::overloaded, "no room for a state"), ErrorForm::openai);
  EXPECT_EQ(memory.status, 503);
  EXPECT_THAT(memory.headers, testing::Contains(testing::Pair("Retry-After", "5")));
}

TEST(Errors, FaultsOfTheServerDoNotShowItsInside) {
  for (const auto& fault : {std::make_exception_ptr(Error(ErrorCode::internal, "/srv/secret")),
                            std::make_exception_ptr(std::runtime_error("/srv/secret")), std::make_exception_ptr(7)}) {
    const ApiError error = to_api_error(fault, "request-1");
    EXPECT_EQ(error.status, 500);
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("secret")));
    EXPECT_THAT(error.what(), testing::HasSubstr("request-1"));
  }
}

TEST(Errors, HaveTheFormOfTheClient) {
  const ApiError error(404, "model_not_found", "model", "no \"x\" \xff");
  EXPECT_EQ(
      error_body(error, ErrorForm::openai),
      "{\"error\":{\"message\":\"no \\\"x\\\" \xef\xbf\xbd\",\"type\":\"invalid_request_error\",\"param\":\"model\","
      "\"code\":\"model_not_found\"}}");
  EXPECT_EQ(error_body(ApiError(429, "", "", "m"), ErrorForm::openai),
            R"({"error":{"message":"m","type":"rate_limit_error","param":null,"code":null}})");
  EXPECT_EQ(error_body(ApiError(404, "", "", "m"), ErrorForm::anthropic),
            R"({"type":"error","error":{"type":"not_found_error","message":"m"}})");
}

TEST(Errors, WhatAHandlerThrowsIsAnswered) {
  const auto exchange = std::make_shared<FakeExchange>(HttpRequest());
  with_errors([](const auto&) { fail(ErrorCode::invalid_argument, "top_p", "expected less"); },
              ErrorForm::openai)(exchange);
  const HttpResponse response = exchange->wait();
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, testing::HasSubstr("[top_p] expected less"));
}

}  // namespace
}  // namespace xlstm::server::api
