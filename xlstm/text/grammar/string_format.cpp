#include "xlstm/text/grammar/string_format.h"

#include <utility>

namespace xlstm::text::grammar {
namespace {

// RFC 3339, with the days that months have; 29 February in years that have it.
#define XLSTM_DATE                                                                                        \
  "([0-9]{4}-(((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)-(0[1-9]|[12][0-9]|30))|02-(0[1-9]" \
  "|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
#define XLSTM_CLOCK "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?"
#define XLSTM_ZONE "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define XLSTM_LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define XLSTM_HOST XLSTM_LABEL "(\\." XLSTM_LABEL "){0,7}"
#define XLSTM_OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define XLSTM_H16 "[0-9A-Fa-f]{1,4}"

constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"date", XLSTM_DATE},
    {"time", XLSTM_CLOCK XLSTM_ZONE},
    {"date-time", XLSTM_DATE "[Tt]" XLSTM_CLOCK XLSTM_ZONE},
    {"duration",
     "P([0-9]{1,9}W|([0-9]{1,9}Y([0-9]{1,9}M([0-9]{1,9}D)?)?|[0-9]{1,9}M([0-9]{1,9}D)?|[0-9]{1,9}D)"
     "(T([0-9]{1,9}H([0-9]{1,9}M([0-9]{1,9}S)?)?|[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S))?"
     "|T([0-9]{1,9}H([0-9]{1,9}M([0-9]{1,9}S)?)?|[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S))"},
    {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
    {"email", "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,32}(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,15}){0,2}@" XLSTM_LABEL
              "(\\." XLSTM_LABEL "){1,3}"},
    {"hostname", XLSTM_HOST},
    {"ipv4", XLSTM_OCTET "(\\." XLSTM_OCTET "){3}"},
    {"ipv6",
     "(" XLSTM_H16 ":){7}" XLSTM_H16 "|(" XLSTM_H16 ":){1,7}:|(" XLSTM_H16 ":){1,6}:" XLSTM_H16 "|(" XLSTM_H16
     ":){1,5}(:" XLSTM_H16 "){2}|(" XLSTM_H16 ":){1,4}(:" XLSTM_H16 "){3}|(" XLSTM_H16 ":){1,3}(:" XLSTM_H16
     "){4}|(" XLSTM_H16 ":){1,2}(:" XLSTM_H16 "){5}|" XLSTM_H16 ":(:" XLSTM_H16 "){6}|:(:" XLSTM_H16 "){1,7}|::"},
    {"uri",
     "[A-Za-z][A-Za-z0-9+.-]{0,31}://([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+"
     "(/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
     "(\\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"},
};

#undef XLSTM_DATE
#undef XLSTM_CLOCK
#undef XLSTM_ZONE
#undef XLSTM_LABEL
#undef XLSTM_HOST
#undef XLSTM_OCTET
#undef XLSTM_H16

}  // namespace

std::string_view format_pattern(std::string_view format) {
  for (const auto& [name, pattern] : kFormats) {
    if (name == format) return pattern;
  }
  return "";
}

std::string known_formats() {
  std::string names;
  for (const auto& [name, pattern] : kFormats) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace xlstm::text::grammar
