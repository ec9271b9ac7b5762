// What the verbs that write a checkpoint share: where from, where to, and what is said about it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "xlstm/quantize/output.h"

namespace xlstm::cli {

struct CheckpointFlags {
  std::string model;  // empty: the embedded model
  std::string output;
  std::string max_shard_size = "5GB";
  bool json = false;
};
void add_checkpoint_flags(CLI::App& verb, CheckpointFlags& flags);

/// The files of the model. Errors: those of checkpoint::open_directory.
std::unique_ptr<checkpoint::FileSource> open_model(const CheckpointFlags& flags);

/// Calls `write` with a progress bar; Ctrl-C stops it, and what it has written so far is taken away again, however
/// often it is pressed.
void with_progress(const std::string& label, const std::function<void(const quantize::Callbacks&)>& write);

/// {"output", "parameters", "weights", "source_bytes", "bytes"}
nlohmann::ordered_json to_json(const CheckpointFlags& flags, const quantize::Report& report);
std::string to_text(const CheckpointFlags& flags, const quantize::Report& report);

}  // namespace xlstm::cli
