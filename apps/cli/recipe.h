// --target-bits: which matrices get 8 bits, by what 4 bits are measured to do.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cli/checkpoint_flags.h"
#include "xlstm/calibration/recipe.h"

namespace xlstm::cli {

struct RecipeFlags {
  double target_bits = 0;  // 0: no recipe
  std::string calibrate;   // empty: a text of the model's own
  std::int64_t tokens = 2048;
};
/// `bits`: the option that a recipe takes the place of.
void add_recipe_flags(CLI::App& verb, RecipeFlags& flags, CLI::Option* bits);

/// With a progress bar. `options` is what is to be written but for the recipe, in 4 bits. Errors: those of
/// calibration::find_recipe and Engine::load.
calibration::Recipe find_recipe(const CheckpointFlags& checkpoint, const RecipeFlags& flags,
                                const checkpoint::FileSource& files, const quantize::QuantizeOptions& options);

/// A line for each module of 8 bits.
std::string to_text(const calibration::Recipe& recipe);
/// [{"module", "bits", "kl"}], most damage first.
nlohmann::ordered_json to_json(const calibration::Recipe& recipe);

}  // namespace xlstm::cli
