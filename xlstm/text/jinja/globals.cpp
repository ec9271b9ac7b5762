#include "xlstm/text/jinja/globals.h"

#include <algorithm>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/clock.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/function.h"
#include "xlstm/text/jinja/objects.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {
namespace {

using Global = Value (*)(Runtime& runtime, const Arguments& arguments);

Value range(Runtime& runtime, const Arguments& arguments) {
  const Bound bound(runtime, "range()", arguments, {"start", "stop", "step"}, 1);
  if (!arguments.named.empty()) runtime.fail("expected no named arguments of range() but got some");
  if (bound[1] == nullptr) return runtime.range(0, bound.integer(0, 0), 1);
  return runtime.range(bound.integer(0, 0), bound.integer(1, 0), bound.integer(2, 1));
}

// dict(mapping or pairs, name=value)
Value dict(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.size() > 1)
    runtime.fail("expected at most 1 argument of dict() but got ", arguments.positional.size());
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (const Dict* mapping = as_dict(source)) {
      entries = mapping->entries;
    } else {
      for (const Value& pair : items_of(runtime, source)) {
        std::vector<Value> both = items_of(runtime, pair);
        if (both.size() != 2) runtime.fail("expected pairs of a key and a value but got ", both.size(), " values");
        entries.emplace_back(std::move(both[0]), std::move(both[1]));
      }
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(runtime.text(name), value);
  return runtime.dict(std::move(entries));
}

Value make_namespace(Runtime& runtime, const Arguments& arguments) {
  Value attributes = dict(runtime, arguments);
  for (const auto& [name, value] : as_dict(attributes)->entries) {
    if (const Text* text = as_text(name)) check_namespace_name(runtime, text->utf8);
  }
  return runtime.make<Namespace>(std::move(attributes));
}

Value cycler(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.named.empty())
    runtime.fail("expected values of cycler() but got none");
  return runtime.make<Cycler>(arguments.positional);
}

Value joiner(Runtime& runtime, const Arguments& arguments) {
  const Bound bound(runtime, "joiner()", arguments, {"sep"});
  return runtime.make<Joiner>(bound.get(0, runtime.text(", ")));
}

Value raise_exception(Runtime& runtime, const Arguments& arguments) {
  const Bound bound(runtime, "raise_exception()", arguments, {"message"}, 1);
  runtime.fail(to_text(runtime, *bound[0]));
}

Value strftime_now(Runtime& runtime, const Arguments& arguments) {
  const Bound bound(runtime, "strftime_now()", arguments, {"format"}, 1);
  return runtime.text(format_time(runtime, expect_text(runtime, *bound[0], "a format of the time")));
}

struct Entry {
  std::string_view name;
  Global function;
};
constexpr Entry kGlobals[] = {{"cycler", cycler},
                              {"dict", dict},
                              {"joiner", joiner},
                              {"namespace", make_namespace},
                              {"raise_exception", raise_exception},
                              {"range", range},
                              {"strftime_now", strftime_now}};

}  // namespace

std::optional<Value> find_global(Runtime& runtime, std::string_view name) {
  if (name == "lipsum" || name == "self") runtime.fail(name, " is not supported");
  const auto* found =
      std::find_if(std::begin(kGlobals), std::end(kGlobals), [&](const Entry& entry) { return entry.name == name; });
  if (found == std::end(kGlobals)) return std::nullopt;
  return runtime.make<Function>(found->function);
}

}  // namespace xlstm::text::jinja
