// xlstm quantize: weights of 4 or 8 bits in MLX's format.
#include "xlstm/quantize/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <utility>

#include "apps/cli/checkpoint_flags.h"
#include "apps/cli/numbers.h"
#include "apps/cli/recipe.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  CheckpointFlags checkpoint;
  RecipeFlags recipe;
  int bits = 4;
  std::int64_t group_size = 64;
  std::string scales = "search";
  std::string keep = "gates";
  std::string scale_dtype = "bfloat16";
};

void read_keep(const std::string& text, quantize::QuantizeOptions& options) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (word == "head") options.keep_head = true;
    if (word == "embeddings") options.keep_embeddings = true;
    if (word != "head" && word != "embeddings" && word != "gates") {
      fail(ErrorCode::invalid_argument, "--keep", "expected head, embeddings and gates as in head,gates but got '",
           word, "'");
    }
    begin = end + 1;
  }
}

/// "backbone.blocks.3.ffn" -> "backbone.blocks.*.ffn".
std::string without_indices(const std::string& name) {
  std::string pattern;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(name[i])) != 0;
    const bool in_index = !pattern.empty() && (pattern.back() == '.' || (pattern.ends_with(".*") && digit));
    if (!digit || !in_index) {
      pattern += name[i];
    } else if (pattern.back() != '*') {
      pattern += '*';
    }
  }
  return pattern;
}

/// A line for each kind of tensor that is in every block, and for each other one.
std::string kept_lines(const std::vector<quantize::Kept>& kept) {
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const quantize::Kept& tensor : kept) {
    const auto key = std::pair(without_indices(tensor.tensor), tensor.reason);
    if (counts[key]++ == 0) order.push_back(key);
  }
  std::string text;
  for (const auto& key : order) {
    const int count = counts[key];
    text +=
        fmt::format("not quantised: {}{} ({})\n", key.first, count > 1 ? fmt::format(" x {}", count) : "", key.second);
  }
  return text;
}

ordered_json kept_json(const std::vector<quantize::Kept>& kept) {
  ordered_json list = ordered_json::array();
  for (const quantize::Kept& tensor : kept) list.push_back({{"tensor", tensor.tensor}, {"reason", tensor.reason}});
  return list;
}

/// Of all that is stored.
double bits_per_weight(const quantize::Report& report) {
  return 8 * static_cast<double>(report.bytes) / static_cast<double>(report.parameters);
}

int run(const Options& options) {
  quantize::QuantizeOptions quantize;
  quantize.output = options.checkpoint.output;
  quantize.format = {options.bits, options.group_size};
  quantize.scales = options.scales == "mlx" ? quantize::Scales::mlx : quantize::Scales::search;
  quantize.scale_dtype = dtype_from_name(options.scale_dtype);
  quantize.max_shard_bytes = parse_bytes(options.checkpoint.max_shard_size, "--max-shard-size");
  read_keep(options.keep, quantize);
  const auto files = open_model(options.checkpoint);
  calibration::Recipe recipe;
  if (options.recipe.target_bits > 0) recipe = find_recipe(options.checkpoint, options.recipe, *files, quantize);
  quantize.modules = recipe.modules;
  quantize::QuantizeReport report;
  with_progress("quantising", [&](const quantize::Callbacks& callbacks) {
    report = quantize::quantize(*files, quantize, callbacks);
  });
  if (options.checkpoint.json) {
    ordered_json json = to_json(options.checkpoint, report);
    json["bits_per_weight"] = bits_per_weight(report);
    json["not_quantized"] = kept_json(report.kept);
    if (!recipe.candidates.empty()) json["recipe"] = to_json(recipe);
    print(json.dump() + "\n");
  } else {
    say(kept_lines(report.kept) + to_text(recipe));
    if (!recipe.candidates.empty()) say(fmt::format("{:.4f} bits a weight\n", bits_per_weight(report)));
    print(to_text(options.checkpoint, report));
  }
  flush_output();
  return 0;
}

}  // namespace

void add_quantize(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb =
      *program.add_subcommand("quantize", "Write a model with weights of 4 or 8 bits (MLX's affine groups)");
  CLI::Option* bits = verb.add_option("--bits", options->bits, "Of a weight")
                          ->type_name("4|8")
                          ->check(one_of({"4", "8"}))
                          ->capture_default_str();
  verb.add_option("--group-size", options->group_size, "Neighbouring weights that share a scale and a bias")
      ->type_name("32|64|128")
      ->check(one_of({"32", "64", "128"}))
      ->capture_default_str();
  verb.add_option("--scales", options->scales,
                  "How scales and biases are found: those that fit the weights best, or as mx::quantize does it, bit "
                  "for bit")
      ->type_name("search|mlx")
      ->check(one_of({"search", "mlx"}))
      ->capture_default_str();
  verb.add_option("--keep", options->keep,
                  "What stays as it is: head, embeddings, gates, separated by commas; gates always do")
      ->type_name("LIST")
      ->capture_default_str();
  verb.add_option("--scale-dtype", options->scale_dtype, "Of scales and biases")
      ->type_name("bfloat16|float16|float32")
      ->check(one_of({"bfloat16", "float16", "float32"}))
      ->capture_default_str();
  add_recipe_flags(verb, options->recipe, bits);
  add_checkpoint_flags(verb, options->checkpoint);
  verb.footer(
      "The format is MLX's; with --scales mlx the bits are those of mx::quantize: made from the weights in float32, "
      "scales\n"
      "and biases then rounded. What stays as it is, such as norms and matrices that the groups do not divide, is "
      "listed "
      "on\n"
      "standard error.\n"
      "Examples:\n"
      "  xlstm quantize --model DIR --bits 4 --output DIR-int4\n"
      "  xlstm quantize --model DIR --target-bits 5 --calibrate book.txt --output DIR-mixed\n"
      "  xlstm quantize --model DIR --bits 8 --group-size 32 --keep head,embeddings --output DIR-int8 --json");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
