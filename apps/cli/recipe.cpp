#include "apps/cli/recipe.h"

#include <fmt/format.h>

#include <vector>

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"

namespace xlstm::cli {
namespace {

/// What the model itself writes, drawn from its own distribution: when there is no other text like those it knows.
std::vector<TokenId> own_text(engine::Engine& engine, std::size_t tokens) {
  engine::Session session = engine.new_session();
  generation::Request request;
  request.prompt = {engine.model().config.bos_token_id.value_or(0)};
  request.max_tokens = static_cast<std::int64_t>(tokens) - 1;
  const std::vector<TokenId> ids = engine.generate(session, request).ids;
  request.prompt.insert(request.prompt.end(), ids.begin(), ids.end());
  return request.prompt;
}

std::vector<TokenId> calibration_tokens(const CheckpointFlags& checkpoint, const RecipeFlags& flags) {
  engine::LoadOptions options;
  options.model = checkpoint.model;
  const auto engine = engine::Engine::load(options);
  const auto count = static_cast<std::size_t>(flags.tokens);
  if (flags.calibrate.empty()) return own_text(*engine, count);
  std::vector<TokenId> tokens = engine->encode(read_text(flags.calibrate), true);
  if (tokens.size() > count) tokens.resize(count);
  if (tokens.empty()) fail(ErrorCode::invalid_argument, flags.calibrate, "expected a text but got nothing");
  return tokens;
}

}  // namespace

void add_recipe_flags(CLI::App& verb, RecipeFlags& flags, CLI::Option* bits) {
  CLI::Option* target =
      verb.add_option(
              "--target-bits", flags.target_bits,
              "Choose 4 or 8 bits for each matrix so that a parameter takes at most so many on average, scales, "
              "biases and what is not quantised counted")
          ->type_name("X")
          ->transform(number_in({0, 64, true}))
          ->excludes(bits)
          ->group("Mixed bits");
  verb.add_option("--calibrate", flags.calibrate,
                  "Text by which the damage of 4 bits is measured, not one that the result is judged by later; "
                  "without it the model writes one")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->needs(target)
      ->group("Mixed bits");
  verb.add_option("--calibration-tokens", flags.tokens, "Read only so many of it: once for each matrix")
      ->type_name("N")
      ->transform(integer_between(1, 1 << 20))
      ->needs(target)
      ->group("Mixed bits")
      ->capture_default_str();
}

calibration::Recipe find_recipe(const CheckpointFlags& checkpoint, const RecipeFlags& flags,
                                const checkpoint::FileSource& files, const quantize::QuantizeOptions& options) {
  const std::vector<TokenId> tokens = calibration_tokens(checkpoint, flags);
  calibration::Recipe recipe;
  with_progress("measuring", [&](const quantize::Callbacks& callbacks) {
    recipe = calibration::find_recipe(files, options, flags.target_bits, tokens, callbacks);
  });
  return recipe;
}

std::string to_text(const calibration::Recipe& recipe) {
  std::string text;
  for (const calibration::Candidate& candidate : recipe.candidates) {
    if (!recipe.modules.contains(candidate.module)) continue;
    text += fmt::format("8 bits: {} (KL of 4 bits {:.3g} nats a token)\n", candidate.module, candidate.damage);
  }
  return text;
}

nlohmann::ordered_json to_json(const calibration::Recipe& recipe) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const calibration::Candidate& candidate : recipe.candidates) {
    const int bits = recipe.modules.contains(candidate.module) ? 8 : 4;
    list.push_back({{"module", candidate.module}, {"bits", bits}, {"kl", candidate.damage}});
  }
  return list;
}

}  // namespace xlstm::cli
