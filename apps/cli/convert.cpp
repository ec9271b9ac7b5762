// xlstm convert: the same network in another dtype or in the files of another layout.
#include "xlstm/quantize/convert.h"

#include <memory>

#include "apps/cli/checkpoint_flags.h"
#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"

namespace xlstm::cli {
namespace {

struct Options {
  CheckpointFlags checkpoint;
  std::string dtype, layout;
};

int run(const Options& options) {
  quantize::ConvertOptions convert;
  convert.output = options.checkpoint.output;
  convert.max_shard_bytes = parse_bytes(options.checkpoint.max_shard_size, "--max-shard-size");
  if (!options.dtype.empty()) convert.dtype = dtype_from_name(options.dtype);
  if (options.layout == "hf") convert.layout = checkpoint::Layout::huggingface;
  if (options.layout == "package") convert.layout = checkpoint::Layout::package;
  const auto files = open_model(options.checkpoint);
  quantize::Report report;
  with_progress("converting",
                [&](const quantize::Callbacks& callbacks) { report = quantize::convert(*files, convert, callbacks); });
  print(options.checkpoint.json ? to_json(options.checkpoint, report).dump() + "\n"
                                : to_text(options.checkpoint, report));
  flush_output();
  return 0;
}

}  // namespace

void add_convert(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("convert", "Write a model in another dtype or another layout of files");
  verb.add_option("--dtype", options->dtype, "Of every tensor of the result; without it as they are stored")
      ->type_name("float32|float16|bfloat16")
      ->check(one_of({"float32", "float16", "bfloat16"}));
  verb.add_option("--layout", options->layout, "Hugging Face's or the xlstm package's; without it that of the model")
      ->type_name("hf|package")
      ->check(one_of({"hf", "package"}));
  add_checkpoint_flags(verb, options->checkpoint);
  verb.footer(
      "Numbers are rounded to nearest even; a quantised model becomes a float model with --dtype.\n"
      "Memory does not grow with the model.\n"
      "Examples:\n"
      "  xlstm convert --model DIR --dtype bfloat16 --output DIR-bf16\n"
      "  xlstm convert --model DIR --layout package --max-shard-size 2GB --output DIR-package");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
