#include "xlstm/checkpoint/new_directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "xlstm/base/error.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

class NewDirectoryTest : public testing::Test {
 protected:
  NewDirectoryTest() {
    std::string name = (fs::temp_directory_path() / "xlstm_new_directory_XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~NewDirectoryTest() override { fs::remove_all(root_); }

  static void put(const fs::path& path) { std::ofstream(path) << "text"; }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }
  void expect_refused(const fs::path& path, ErrorCode code, const std::string& part) const {
    const std::size_t before = count();
    try {
      NewDirectory directory(path);
      ADD_FAILURE() << "no error; expected one that says " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
    EXPECT_EQ(count(), before);
  }

  fs::path root_;
};

TEST_F(NewDirectoryTest, AppearsWithAllThatIsInItWhenItIsCommitted) {
  {
    NewDirectory directory(root_ / "out");
    put(directory.temporary() / "file");
    EXPECT_FALSE(fs::exists(root_ / "out"));
    EXPECT_EQ(directory.temporary().parent_path(), fs::canonical(root_));
    directory.commit();
    EXPECT_TRUE(fs::exists(root_ / "out/file"));
  }
  EXPECT_TRUE(fs::exists(root_ / "out/file"));
  EXPECT_EQ(count(), 1u);
}

TEST_F(NewDirectoryTest, NothingIsLeftWithoutCommit) {
  {
    const NewDirectory directory(root_ / "out");
    fs::create_directory(directory.temporary() / "below");
    put(directory.temporary() / "below/file");
  }
  EXPECT_EQ(count(), 0u);
}

TEST_F(NewDirectoryTest, TakesThePlaceOfAnEmptyDirectoryHoweverItIsWritten) {
  for (const std::string name : {"out", "out/", "./out/.", "a/../out"}) {
    fs::create_directory(root_ / "out");
    NewDirectory directory(root_ / name);
    put(directory.temporary() / "file");
    directory.commit();
    EXPECT_TRUE(fs::exists(root_ / "out/file")) << name;
    fs::remove_all(root_ / "out");
  }
  EXPECT_EQ(count(), 0u);
}

TEST_F(NewDirectoryTest, ALinkToAnEmptyDirectoryStaysALink) {
  fs::create_directory(root_ / "real");
  fs::create_directory_symlink(root_ / "real", root_ / "link");
  NewDirectory directory(root_ / "link");
  put(directory.temporary() / "file");
  directory.commit();
  EXPECT_TRUE(fs::is_symlink(root_ / "link"));
  EXPECT_TRUE(fs::exists(root_ / "real/file"));
}

TEST_F(NewDirectoryTest, WhatIsThereIsNeverTouched) {
  fs::create_directory(root_ / "full");
  put(root_ / "full/file");
  put(root_ / "file");
  expect_refused(root_ / "full", ErrorCode::invalid_argument, "one that holds \"file\"");
  expect_refused(root_ / "file", ErrorCode::invalid_argument, "but got a file");
  EXPECT_TRUE(fs::exists(root_ / "full/file"));
}

TEST_F(NewDirectoryTest, WhereNoneCanBeMadeIsAClearError) {
  put(root_ / "file");
  expect_refused(root_ / "no/such", ErrorCode::not_found, "No such file");
  expect_refused(root_ / "file/out", ErrorCode::not_found, "Not a directory");
}

// Somebody else may put files there while ours are being written.
TEST_F(NewDirectoryTest, WhatAppearsMeanwhileIsNotReplaced) {
  fs::create_directory(root_ / "out");
  {
    NewDirectory directory(root_ / "out");
    put(directory.temporary() / "ours");
    put(root_ / "out/theirs");
    try {
      directory.commit();
      ADD_FAILURE() << "it was replaced";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::internal) << error.what();
      EXPECT_NE(std::string(error.what()).find("not empty"), std::string::npos) << error.what();
    }
  }
  EXPECT_TRUE(fs::exists(root_ / "out/theirs"));
  EXPECT_EQ(count(), 1u);
}

}  // namespace
}  // namespace xlstm::checkpoint
