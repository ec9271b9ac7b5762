#include "apps/server/http/api_keys.h"

#include <gtest/gtest.h>

#include <fstream>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

using Strings = std::vector<std::string>;

TEST(ApiKeys, BothHeadersAndEveryKeyAreAccepted) {
  const Strings strings = {"first-key", "second-key"};
  const ApiKeys keys(strings);
  struct Case {
    const char *name, *value;
    bool good;
  };
  for (const Case& c :
       {Case{"authorization", "Bearer first-key", true}, Case{"authorization", "bearer  second-key ", true},
        Case{"x-api-key", "second-key", true}, Case{"authorization", "Bearer first-ke", false},
        Case{"authorization", "Bearer first-keys", false}, Case{"authorization", "first-key", false},
        Case{"authorization", "Basic first-key", false}, Case{"authorization", "Bearer ", false},
        Case{"authorization", "", false}, Case{"x-api-key", "", false}, Case{"cookie", "first-key", false}}) {
    HttpRequest request;
    request.headers = {{c.name, c.value}};
    EXPECT_EQ(keys.accept(request), c.good) << c.name << ": " << c.value;
  }
  EXPECT_FALSE(keys.accept(HttpRequest{}));
  EXPECT_TRUE(ApiKeys().accept(HttpRequest{}));
  EXPECT_FALSE(ApiKeys().contains(""));
}

TEST(ApiKeys, AFileHasOneALine) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("keys-" + std::to_string(::getpid()));
  const auto read = [&](const char* text) {
    std::ofstream(path) << text;
    return read_key_file(path);
  };
  EXPECT_EQ(read("# clients\nalpha\r\n\n  beta\t\ngamma"), (Strings{"alpha", "beta", "gamma"}));
  for (const char* bad : {"", "# nothing\n\n", "two words\n", "tab\tinside\n", "caf\xc3\xa9\n"})
    EXPECT_THROW(read(bad), Error) << bad;
  try {
    read("good\nsecret word\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos);
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
  }
  std::filesystem::remove(path);
  EXPECT_THROW(read_key_file(path), Error);
  EXPECT_THROW(read_key_file(std::filesystem::temp_directory_path()), Error);
}

}  // namespace
}  // namespace xlstm::server
