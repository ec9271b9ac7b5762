// Flags for what the generated text has to be.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "xlstm/engine/constraint.h"

namespace xlstm::cli {

/// At most one is set.
struct ConstraintFlags {
  std::string grammar;                     // a file
  std::optional<std::string> regex;        // a pattern
  std::optional<std::string> json_schema;  // a file, or the schema itself
  bool json_object = false;
};
void add_constraint_flags(CLI::App& verb, ConstraintFlags& flags);
/// What the flags ask for, or nothing. Errors: not_found (a file).
std::optional<engine::Constraint> read_constraint(const ConstraintFlags& flags);

}  // namespace xlstm::cli
