#include "xlstm/text/jinja/json_value.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

using nlohmann::ordered_json;

Value text_of(Runtime& runtime, const std::string& utf8) {
  if (!is_well_formed(utf8)) runtime.fail("expected variables of UTF-8 but got other bytes");
  return runtime.text(utf8);
}

Value convert(Runtime& runtime, const ordered_json& json, int depth) {
  runtime.step();
  if (depth > kMaxValueDepth) runtime.fail("expected at most ", kMaxValueDepth, " levels of a variable but got more");
  switch (json.type()) {
    case ordered_json::value_t::null:
      return None{};
    case ordered_json::value_t::boolean:
      return json.get<bool>();
    case ordered_json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        runtime.fail("expected variables with ints of 64 bits but got ", json.get<std::uint64_t>());
      }
      return json.get<std::int64_t>();
    case ordered_json::value_t::number_integer:
      return json.get<std::int64_t>();
    case ordered_json::value_t::number_float:
      return json.get<double>();
    case ordered_json::value_t::string:
      return text_of(runtime, json.get_ref<const std::string&>());
    case ordered_json::value_t::array: {
      std::vector<Value> items;
      for (const ordered_json& item : json) items.push_back(convert(runtime, item, depth + 1));
      return runtime.list(std::move(items));
    }
    case ordered_json::value_t::object: {
      std::vector<std::pair<Value, Value>> entries;
      for (const auto& [key, value] : json.items()) {
        entries.emplace_back(text_of(runtime, key), convert(runtime, value, depth + 1));
      }
      return runtime.dict(std::move(entries));
    }
    default:
      runtime.fail("expected variables of JSON but got ", json.type_name());
  }
}

}  // namespace

Value from_json(Runtime& runtime, const ordered_json& json) { return convert(runtime, json, 0); }

}  // namespace xlstm::text::jinja
