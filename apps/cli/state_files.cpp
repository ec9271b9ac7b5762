#include "apps/cli/state_files.h"

#include <system_error>

#include "apps/cli/numbers.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/state_diff.h"

namespace xlstm::cli {

void add_compress_flags(CLI::App& verb, CompressFlags& flags, CLI::Option* output) {
  CLI::Option* compress =
      verb.add_flag("--compress", flags.compress,
                    "Write the state file as a zstd frame, level " + std::to_string(state::kDefaultZstdLevel))
          ->group("Output");
  CLI::Option* level =
      verb.add_option("--zstd", flags.level, "The same with a level of your own; higher is slower and hardly smaller")
          ->type_name("LEVEL")
          ->transform(integer_between(state::kLeastZstdLevel, state::kMostZstdLevel))
          ->group("Output");
  if (output == nullptr) return;
  compress->needs(output);
  level->needs(output);
}

std::unique_ptr<engine::Engine> load_engine_for(const std::string& state_file, ModelFlags flags) {
  if (flags.state_dtype.empty()) flags.state_dtype = dtype_name(state::open_state(state_file).info.state_dtype);
  return load_engine(flags);
}

void check_can_write(const std::filesystem::path& file) {
  const std::filesystem::path directory = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return;
  fail(ErrorCode::not_found, file.string(), "expected a directory to write to but got ",
       error ? error.message() : "none");
}

}  // namespace xlstm::cli
