#include "xlstm/checkpoint/new_directory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

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

/// The temporary directory of a process that was killed while it filled it.
fs::path left_by_a_killed_process(const fs::path& path) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const NewDirectory directory(path);
    std::ofstream(directory.temporary() / "file") << "text";
    const std::string name = directory.temporary().string();
    if (::write(ready[1], name.data(), name.size()) > 0) ::raise(SIGKILL);
    ::_exit(1);
  }
  std::string name(4096, '\0');
  const ssize_t length = ::read(ready[0], name.data(), name.size());
  ::close(ready[0]);
  ::close(ready[1]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  name.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return name;
}

TEST_F(NewDirectoryTest, WhatAKilledProcessHasLeftIsRemovedByTheNext) {
  const fs::path left = left_by_a_killed_process(root_ / "out"), of_another = left_by_a_killed_process(root_ / "out2");
  ASSERT_TRUE(fs::exists(left / "file"));
  std::vector<std::string> notes;
  set_log_sink([&](LogLevel level, const std::string& note) {
    if (level == LogLevel::warning) notes.push_back(note);
  });
  { const NewDirectory directory(root_ / "out"); }
  set_log_sink({});
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(of_another / "file"));
  EXPECT_EQ(notes, std::vector<std::string>{"removed what a killed process has left in " + left.string()});
}

TEST_F(NewDirectoryTest, WhatIsInUseOrIsNoNameOfOursStays) {
  const NewDirectory ours(root_ / "out");
  const std::string dead = "999999999";  // no process has such a number
  const fs::path names[] = {
      "out",           ".out." + dead + ".0.tmp.kept", ".out." + dead + ".tmp", ".out.x.0.tmp", ".out.0.0.tmp",
      ".out.-7.0.tmp", ".out.5." + dead + ".0.tmp",    "out." + dead + ".0.tmp"};
  for (const fs::path& name : names) fs::create_directory(root_ / name);
  put(root_ / (".out." + dead + ".1.tmp"));  // a file
  fs::create_directory_symlink(root_ / "out", root_ / (".out." + dead + ".2.tmp"));
  const fs::path locked = root_ / (".out." + dead + ".3.tmp");
  fs::create_directory(locked);
  TemporaryLock lock;  // as a process of another machine has it
  ASSERT_TRUE(lock.take(locked));
  const std::size_t before = count();
  { const NewDirectory other(root_ / "out"); }
  EXPECT_EQ(count(), before);
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
