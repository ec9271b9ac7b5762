// Jinja templates, as far as published chat templates use the language: parse once, render many times.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "xlstm/text/jinja/limits.h"

namespace xlstm::text::jinja {

struct RenderOptions {
  Limits limits;
  /// What strftime_now shows; nothing: the local time.
  std::optional<std::tm> now;
};

/// A parsed template; never changes, and may be rendered by many threads at a time. The environment is that of
/// Hugging Face transformers: Jinja's ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, loop controls,
/// {% generation %}, tojson without care for HTML, raise_exception and strftime_now. docs/chat_templates.md says what
/// is left out; that is an error, never other output. Neither files nor the environment of the process are reachable.
///
/// Every error is ErrorCode::invalid_argument with one line, "[chat template] line L, column C: ...".
class Template {
 public:
  /// Errors: a source that is not UTF-8, goes over the limits or is no template of the subset.
  static Template parse(std::string_view source, const Limits& limits = {});

  /// `variables`: an object, by name. Ints beyond 64 bits and strings that are not UTF-8 are refused. Errors: those
  /// that Jinja raises, raise_exception() with its message, and limits that are reached.
  std::string render(const nlohmann::ordered_json& variables, const RenderOptions& options = {}) const;

 private:
  struct Parsed;
  explicit Template(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}

  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace xlstm::text::jinja
