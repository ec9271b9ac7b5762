#include "apps/server/http/trace.h"

#include <gtest/gtest.h>

#include <set>

namespace xlstm::server {
namespace {

TEST(Trace, APlainRequestIdIsKept) {
  for (const char* id : {"a", "A-z_0.9", "0123456789012345678901234567890123456789012345678901234567890123"}) {
    EXPECT_EQ(request_id(id), id);
  }
  for (const char* id :
       {"", "a b", "a\nb", "a\"", "01234567890123456789012345678901234567890123456789012345678901234"}) {
    EXPECT_TRUE(request_id(id).starts_with("req-")) << id;
  }
}

TEST(Trace, MadeIdsDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(request_id(std::nullopt));
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.begin()->size(), 28u);
}

TEST(Trace, ReadsATraceparentOrNothing) {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto context = parse_traceparent(good);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->parent_id, "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_FALSE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")->sampled);
  EXPECT_TRUE(parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
  for (const std::string& bad :
       {std::string(), good.substr(1), good + "-more", good + "x", "ff" + good.substr(2), "0g" + good.substr(2),
        std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        std::string("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

}  // namespace
}  // namespace xlstm::server
