// No template hangs, grows without bound or runs off the stack: it ends with an error that names the limit.
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/expect_error.h"
#include "xlstm/text/jinja/template.h"

namespace xlstm::text::jinja {
namespace {

using xlstm::tests::expect_error;

std::string repeat(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

// Under limits that a test reaches quickly.
void expect_limit(const std::string& source, const std::string& message) {
  SCOPED_TRACE(source.substr(0, 200));
  RenderOptions options;
  options.limits.steps = 300'000;
  options.limits.memory_bytes = std::size_t{4} << 20;
  options.limits.output_bytes = 100'000;
  expect_error(ErrorCode::invalid_argument, message,
               [&] { Template::parse(source).render(nlohmann::ordered_json::object(), options); });
}

TEST(Limits, Steps) {
  const std::string steps = "expected at most 300000 steps of evaluation but got more";
  const std::string loop = "{% for i in range(100000) %}";
  const std::string end = "{% endfor %}";
  expect_limit("{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}", steps);
  expect_limit("{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(40) }}", steps);
  const std::string text = "{% set a = 'a' * 200000 %}{% set b = 'a' * 200000 %}";
  for (const std::string work :
       {"a == b", "a < b", "'b' in a", "b in {a: 1}", "a.find('b')", "a.rfind('b')", "a.count('b')", "a.startswith(b)",
        "a[199999]", "a.isdigit()", "a|upper", "a.split('b')", "a|wordcount"}) {
    expect_limit(text + loop + "{% set x = " + work + " %}" + end, steps);
  }
  const std::string list = "{% set a = range(10000)|list %}";
  for (const std::string work :
       {"-1 in a", "a == a[:]", "a|sort", "a|unique", "a|max", "a|sum", "a|string", "a|tojson", "a|last"}) {
    expect_limit(list + loop + "{% set x = " + work + " %}" + end, steps);
  }
}

TEST(Limits, SharedContainersAreAsLargeAsTheyLook) {
  const std::string twice =
      "{% set n = namespace(a=(1,), b=(1,)) %}{% for i in range(60) %}"
      "{% set n.a = (n.a, n.a) %}{% set n.b = (n.b, n.b) %}{% endfor %}";
  for (const std::string work : {"n.a == n.b", "n.a < n.b", "n.a|string", "n.a|tojson", "{n.a: 1}", "{(1,): 1}[n.a]",
                                 "[n.a, n.b]|unique|list"}) {
    expect_limit(twice + "{{ " + work + " }}", "expected at most 300000 steps of evaluation but got more");
  }
}

TEST(Limits, Memory) {
  const std::string memory = "expected at most 4194304 bytes of values but got more";
  const std::string loop = "{% set n = namespace(s='ab', l=[1]) %}{% for i in range(64) %}";
  expect_limit(loop + "{% set n.s = n.s + n.s %}{% endfor %}", memory);
  expect_limit(loop + "{% set n.s = n.s ~ n.s %}{% endfor %}", memory);
  expect_limit(loop + "{% set n.l = n.l + n.l %}{% endfor %}", memory);
  expect_limit("{{ 'a' * 5000000 }}", memory);
  expect_limit("{{ ['a'] * 500000 }}", memory);
  expect_limit("{{ 'a'|center(5000000) }}", memory);
  expect_limit("{{ ('a' * 10000).replace('a', 'b' * 10000) }}", memory);
  expect_limit("{{ range(1000)|join('b' * 10000) }}", memory);
  expect_limit("{{ [1]|batch(9000000000, 0)|list }}", memory);
  expect_limit("{{ [1]|slice(9000000000)|list }}", memory);
  expect_limit("{% for i in range(100000) %}{% set x = namespace() %}{% endfor %}", memory);
  // huge counts, which do not even begin
  for (const std::string what : {"'a' * 9223372036854775807", "[1] * 9223372036854775807",
                                 "'a'.zfill(9223372036854775807)", "'a'.center(9223372036854775807, 'x')",
                                 "'a'|indent(9223372036854775807)", "[1]|tojson(indent=9223372036854775807)"}) {
    expect_limit("{{ " + what + " }}", "expected at most ");
  }
  expect_limit("{{ '%1001d' % 1 }}", "expected at most 1000 as the width of a field");
  expect_limit("{{ range(100001) }}", "expected a range of at most 100000 items but got more");
}

TEST(Limits, Output) {
  expect_limit("{% for i in range(10001) %}0123456789{% endfor %}",
               "expected at most 100000 bytes of output but got more");
  expect_limit("{{ 'a' * 100001 }}", "expected at most 100000 bytes of output but got more");
}

TEST(Limits, Depth) {
  expect_limit("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
               "expected at most 400 nested evaluations but got more");
  expect_limit("{% set n = namespace() %}{% set n.a = [n] %}{{ n }}", "expected at most 400 nested evaluations");
  expect_limit("{% set n = namespace(l=[]) %}{% for i in range(200) %}{% set n.l = [n.l] %}{% endfor %}",
               "expected at most 100 levels of a value but got more");
  for (const auto& [open, middle, close] : {std::array<std::string, 3>{"(", "1", ")"},
                                            {"[", "1", "]"},
                                            {"{1:", "1", "}"},
                                            {"-", "1", ""},
                                            {"not ", "1", ""},
                                            {"x[", "1", "]"},
                                            {"x(", "1", ")"},
                                            {"1 if 1 else ", "1", ""}}) {
    expect_limit("{{ " + repeat(open, 5000) + middle + repeat(close, 5000) + " }}",
                 "expected at most 100 nested levels of the template but got more");
  }
  for (const std::string link : {".a", "['a']", "()", "|upper", " + 1", " or 1", " ** 1", " if 1"}) {
    expect_limit("{{ 1" + repeat(link, 5000) + " }}", "expected at most 200 operations in a chain but got more");
  }
  for (const std::string tag : {"{% if 1 %}", "{% for x in y %}", "{% set x %}", "{% macro f() %}",
                                "{% filter upper %}", "{% with %}", "{% generation %}"}) {
    expect_limit(repeat(tag, 5000), "expected at most 100 nested levels of the template but got more");
  }
}

TEST(Limits, TheDeepestThatIsAllowedRenders) {
  const auto render = [](const std::string& source) { return Template::parse(source).render({{"x", 1}}); };
  EXPECT_EQ(render("{{ " + repeat("(", 90) + "x" + repeat(")", 90) + " }}"), "1");
  EXPECT_EQ(render("{{ x" + repeat(" + 1", 190) + " }}"), "191");
  EXPECT_EQ(render(repeat("{% if x %}", 90) + "y" + repeat("{% endif %}", 90)), "y");
  EXPECT_EQ(render("{% macro f(n) %}{{ n }}{% if n %},{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}").substr(0, 6),
            "40,39,");
}

TEST(Limits, SourceAndVariables) {
  Limits limits;
  limits.source_bytes = 10;
  EXPECT_EQ(Template::parse("0123456789", limits).render(nlohmann::ordered_json::object()), "0123456789");
  expect_error(ErrorCode::invalid_argument, "expected a template of at most 10 bytes but got 11",
               [&] { Template::parse("0123456789a", limits); });
  expect_error(ErrorCode::invalid_argument, "expected a template of UTF-8", [] { Template::parse("a\xff"); });
  nlohmann::ordered_json deep = 1;
  for (int i = 0; i < 101; ++i) deep = nlohmann::ordered_json::array({deep});
  const Template any = Template::parse("");
  expect_error(ErrorCode::invalid_argument, "expected at most 100 levels", [&] { any.render({{"x", deep}}); });
  expect_error(ErrorCode::invalid_argument, "expected variables of UTF-8", [&] { any.render({{"x", "\xff"}}); });
  expect_error(ErrorCode::invalid_argument, "expected variables with ints of 64 bits but got 9223372036854775808", [&] {
    any.render({{"x", 9223372036854775808U}});
  });
  expect_error(ErrorCode::invalid_argument, "expected variables as an object", [&] { any.render(1); });
}

}  // namespace
}  // namespace xlstm::text::jinja
