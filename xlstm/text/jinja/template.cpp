#include "xlstm/text/jinja/template.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "xlstm/text/jinja/interpreter.h"
#include "xlstm/text/jinja/json_value.h"
#include "xlstm/text/jinja/lexer.h"
#include "xlstm/text/jinja/parser.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::localtime_r(&now, &time);
  return time;
}

}  // namespace

struct Template::Parsed {
  Body body;
};

Template Template::parse(std::string_view source, const Limits& limits) {
  if (source.size() > limits.source_bytes) {
    fail_at({}, "expected a template of at most " + std::to_string(limits.source_bytes) + " bytes but got " +
                    std::to_string(source.size()));
  }
  if (!is_well_formed(source)) fail_at({}, "expected a template of UTF-8 but got other bytes");
  const std::string text = normalize_newlines(source);
  return Template(std::make_shared<const Parsed>(Parsed{Parser(tokenize(text)).parse()}));
}

std::string Template::render(const nlohmann::ordered_json& variables, const RenderOptions& options) const {
  Runtime runtime(options.limits, options.now ? *options.now : local_time());
  if (!variables.is_object()) runtime.fail("expected variables as an object but got ", variables.type_name());
  const Value root = from_json(runtime, variables);
  const auto context = std::make_shared<Scope>(nullptr);
  for (const auto& [name, value] : as_dict(root)->entries) context->names.emplace(as_text(name)->utf8, value);
  Interpreter interpreter(runtime);
  std::string out;
  interpreter.execute(parsed_->body, context, out);
  return out;
}

}  // namespace xlstm::text::jinja
