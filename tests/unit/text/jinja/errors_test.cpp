// An error says where in the template it is and what is wrong; what is left out is refused by name.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/expect_error.h"
#include "xlstm/text/jinja/template.h"

namespace xlstm::text::jinja {
namespace {

using xlstm::tests::expect_error;

void expect_refusal(const std::string& source, const std::string& message) {
  SCOPED_TRACE(source);
  expect_error(ErrorCode::invalid_argument, "[chat template] " + message, [&] {
    Template::parse(source).render({{"x", 1}, {"d", {{"k", 2}}}});
  });
}

TEST(Errors, TellLineAndColumn) {
  expect_refusal("{{ x", "line 1, column 1: expected \"}}\" to close the tag but got the end");
  expect_refusal("a\nb {% if x %}", "line 2, column 13: expected {% endif %} but got the end of the template");
  expect_refusal("a\r\n\r\n {{ x y }}", "line 3, column 7: expected \"}}\" but got \"y\"");
  expect_refusal("\xc3\xa9\xf0\x9f\x98\x80{{ ) }}", "line 1, column 6: expected an expression but got \")\"");
  expect_refusal("{{ x +\n  nope.y }}",
                 "line 2, column 7: expected a value but got an undefined one: 'nope' is undefined");
  expect_refusal("{% set a = 1 %}\n{{ a + 'b' }}",
                 "line 2, column 6: expected operands that + can take but got int and str");
  expect_refusal("{% frobnicate %}", "line 1, column 4: expected a statement but got \"frobnicate\"");
  expect_refusal("{{ x|frobnicate }}", "line 1, column 6: expected a filter but got \"frobnicate\"");
  expect_refusal("{{ x is frobnicate }}", "line 1, column 6: expected a test but got \"frobnicate\"");
  expect_refusal("{% break %}", "line 1, column 4: expected a loop around {% break %} but got none");
  expect_refusal("{% for a, b in [[1]] %}{% endfor %}", "line 1, column 8: expected 2 values to unpack but got 1");
}

TEST(Errors, TheMessageOfRaiseExceptionArrivesOnOneLine) {
  expect_refusal("\n {{ raise_exception('not\nlike ' ~ d) }}", "line 2, column 20: not\\nlike {'k': 2}");
}

TEST(Errors, InAMacroLieWhereItIsWritten) {
  expect_refusal("{% macro f() %}\n{{ 1 / 0 }}{% endmacro %}\n{{ f() }}", "line 2, column 6: expected a divisor");
}

TEST(Errors, NameWhatIsLeftOut) {
  for (const std::string tag :
       {"extends", "include", "import", "from", "block", "autoescape", "print", "do", "trans"}) {
    expect_refusal("{% " + tag + " 'x' %}", "line 1, column 4: {% " + tag + " %} is not supported");
  }
  for (const std::string filter : {"e", "escape", "groupby", "pprint", "random", "urlize", "wordwrap", "xmlattr"}) {
    expect_refusal("{{ x|" + filter + " }}", "line 1, column 6: the filter " + filter + " is not supported");
  }
  expect_refusal("{% for a in [] recursive %}{% endfor %}",
                 "line 1, column 16: a recursive {% for %} is not supported");
  expect_refusal("{{ 'a'.encode() }}", "line 1, column 7: str.encode is not supported");
  expect_refusal("{{ x.bit_length() }}", "line 1, column 5: int.bit_length is not supported");
  expect_refusal("{{ range(3).start }}", "line 1, column 12: range.start is not supported");
  expect_refusal("{{ range(3)[1:] }}", "line 1, column 12: a slice of a range is not supported");
  expect_refusal("{{ '{:>5}'.format(1) }}", "line 1, column 18: in a pattern of format()");
  expect_refusal("{{ '%e' % 1.5 }}", "line 1, column 9: the conversion %e is not supported");
  expect_refusal("{{ strftime_now('%U') }}", "line 1, column 16: the conversion %U of strftime_now() is not supported");
  expect_refusal("{{ lipsum() }}", "line 1, column 4: lipsum is not supported");
  expect_refusal("{{ '\\N{DASH}' }}", "line 1, column 4: \\N{...} in a string is not supported");
  expect_refusal("{{ [1]|map('string') }}",
                 "line 1, column 8: expected a value that can be printed but got generator: use |list");
  expect_refusal("{{ 'ab' is sameas 'ab' }}",
                 "line 1, column 9: the test sameas of two equal values of type str is not supported");
}

TEST(Errors, IntsHave64Bits) {
  expect_refusal("{{ 9223372036854775808 }}", "line 1, column 4: expected an int of 64 bits");
  expect_refusal("{{ 9223372036854775807 + 1 }}", "line 1, column 24: expected an int of 64 bits");
  expect_refusal("{{ 3037000500 * 3037000500 }}", "line 1, column 15: expected an int of 64 bits");
  expect_refusal("{{ 2 ** 63 }}", "line 1, column 6: expected an int of 64 bits");
  expect_refusal("{{ -(-9223372036854775807 - 1) }}", "line 1, column 4: expected an int of 64 bits");
  expect_refusal("{{ (-9223372036854775807 - 1) // -1 }}", "line 1, column 31: expected an int of 64 bits");
  expect_refusal("{{ 1e300|int }}", "line 1, column 10: expected an int of 64 bits");
}

TEST(Errors, TheSandboxHidesWhatChangesValues) {
  for (const std::string call : {"[].append(1)", "[].pop()", "[].sort()", "[].extend([])", "d.update({})", "d.pop('k')",
                                 "d.clear()", "d.setdefault('a', 1)", "''.__class__.__mro__"}) {
    expect_refusal("{{ " + call + " }}", "line 1, column ");
  }
  expect_refusal("{% set d.k = 3 %}", "line 1, column 8: expected a namespace to assign an attribute to");
  expect_refusal("{% set n = namespace(_a=1) %}", "line 1, column 21: expected a name of a namespace's attribute");
  EXPECT_EQ(
      Template::parse("{{ [].append is defined }}{{ {}.update is defined }}").render(nlohmann::ordered_json::object()),
      "FalseFalse");
}

}  // namespace
}  // namespace xlstm::text::jinja
