// What verbs that read or write a state file share.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "apps/cli/flags.h"

namespace xlstm::cli {

struct CompressFlags {
  bool compress = false;
  std::optional<int> level;

  state::SaveOptions options() const {
    if (level) return {level};
    return compress ? state::SaveOptions{state::kDefaultZstdLevel} : state::SaveOptions{};
  }
};
/// output: the flag that names the file, where that is not required.
void add_compress_flags(CLI::App& verb, CompressFlags& flags, CLI::Option* output = nullptr);

/// An engine whose state dtype is the file's, unless the flags give one.
std::unique_ptr<engine::Engine> load_engine_for(const std::string& state_file, ModelFlags flags);

/// Before the work, not after it: throws not_found when there is no directory to write the file to.
void check_can_write(const std::filesystem::path& file);

}  // namespace xlstm::cli
