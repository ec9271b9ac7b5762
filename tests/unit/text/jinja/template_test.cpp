// A parsed template is a value: shared, rendered many times and by many threads.
#include "xlstm/text/jinja/template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/text/jinja/clock.h"

namespace xlstm::text::jinja {
namespace {

using nlohmann::ordered_json;

TEST(Template, RendersAgainAsBefore) {
  const Template counter = Template::parse(
      "{% set n = namespace(i=0) %}{% macro f() %}{% set n.i = n.i + 1 %}{{ n.i }}{% endmacro %}{{ f() }}{{ f() }}{{ x "
      "}}");
  EXPECT_EQ(counter.render({{"x", "a"}}), "12a");
  EXPECT_EQ(counter.render({{"x", "b"}}), "12b");
  EXPECT_EQ(counter.render(ordered_json::object()), "12");
}

TEST(Template, OutlivesItsSourceAndItsFirstCopy) {
  std::optional<Template> first = Template::parse(std::string("{% for x in l %}{{ x ~ 'literal' }}{% endfor %}"));
  const Template copy = *first;
  first.reset();
  EXPECT_EQ(copy.render({{"l", {1, 2}}}), "1literal2literal");
}

TEST(Template, ManyThreadsRenderOneTemplate) {
  const Template shared =
      Template::parse("{% for x in l %}{{ loop.index ~ ':' ~ x|upper }}{{ ', ' if not loop.last }}{% endfor %}");
  std::vector<std::string> outputs(8);
  std::vector<std::thread> threads;
  for (std::string& output : outputs) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) output = shared.render({{"l", {"a", "b", "c"}}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& output : outputs) EXPECT_EQ(output, "1:A, 2:B, 3:C");
}

TEST(Template, VariablesKeepTheirTypesAndTheOrderOfTheirKeys) {
  const ordered_json variables = ordered_json::parse(
      R"({"v": {"z": 9223372036854775807, "a": -9223372036854775808, "m": 1.0, "b": true, "n": null, "e": {}, "s": "\u00e9"}})");
  EXPECT_EQ(Template::parse("{{ v }}").render(variables),
            "{'z': 9223372036854775807, 'a': -9223372036854775808, 'm': 1.0, 'b': True, 'n': None, 'e': {}, 's': "
            "'\xc3\xa9'}");
}

TEST(Template, TheClockIsAnArgument) {
  const Template date = Template::parse("{{ strftime_now('%d %b %Y %H:%M:%S %-d %A %j') }}");
  EXPECT_EQ(date.render(ordered_json::object(), tests::friday()), "26 Jul 2024 09:05:07 26 Friday 208");
  EXPECT_EQ(date.render(ordered_json::object()).substr(7, 2), "20");  // the local time, of this century
}

TEST(Template, VariablesHideFunctions) {
  EXPECT_EQ(Template::parse("{{ range }}{{ dict is string }}").render({{"range", "far"}, {"dict", "words"}}),
            "farTrue");
}

}  // namespace
}  // namespace xlstm::text::jinja
