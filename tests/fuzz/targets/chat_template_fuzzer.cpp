// The source of a template, a zero byte, and its variables as JSON; without JSON, a conversation of two turns.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tests/fuzz/targets/refused.h"
#include "xlstm/text/jinja/template.h"

namespace {

using nlohmann::ordered_json;

ordered_json conversation() {
  return {
      {"messages", {{{"role", "user"}, {"content", "Hi \xf0\x9f\x98\x80"}}, {{"role", "assistant"}, {"content", ""}}}},
      {"tools", {{{"name", "f"}, {"x", 1.5}}}},
      {"add_generation_prompt", true}};
}

// Nesting is bounded as a server bounds that of a request's body.
ordered_json variables(std::string_view text) {
  const auto shallow = [](int depth, ordered_json::parse_event_t, ordered_json&) { return depth < 200; };
  ordered_json parsed = ordered_json::parse(text, shallow, false);
  return parsed.is_object() ? parsed : conversation();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(input.find('\0'), input.size());
  xlstm::text::jinja::RenderOptions options;
  options.limits.steps = 100'000;
  options.limits.memory_bytes = std::size_t{16} << 20;
  options.limits.output_bytes = std::size_t{1} << 20;
  xlstm::fuzz::accept_or_refuse([&] {
    const auto parsed = xlstm::text::jinja::Template::parse(input.substr(0, zero));
    parsed.render(variables(input.substr(std::min(zero + 1, input.size()))), options);
  });
  return 0;
}
