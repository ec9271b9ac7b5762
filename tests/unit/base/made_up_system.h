// A made-up /proc and /sys for whatever reads them.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace xlstm::testing {

/// `root()` stands for "/"; it begins empty and is removed with the test.
class MadeUpSystemTest : public ::testing::Test {
 protected:
  MadeUpSystemTest() {
    std::string name = (std::filesystem::temp_directory_path() / "xlstm_system_XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~MadeUpSystemTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

}  // namespace xlstm::testing
