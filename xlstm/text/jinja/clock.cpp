#include "xlstm/text/jinja/clock.h"

#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

std::string padded(int number, std::size_t width, char fill) {
  const std::string digits = std::to_string(number);
  return digits.size() >= width ? digits : std::string(width - digits.size(), fill) + digits;
}

std::string number(int value, std::size_t width, bool bare) {
  return bare ? std::to_string(value) : padded(value, width, '0');
}

// Empty: not known.
std::string convert(const std::tm& time, char letter, bool bare) {
  const int hour12 = time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12;
  const auto day = static_cast<std::size_t>(time.tm_wday);
  const auto month = static_cast<std::size_t>(time.tm_mon);
  switch (letter) {
    case 'a':
      return std::string(kDays[day].substr(0, 3));
    case 'A':
      return std::string(kDays[day]);
    case 'b':
      return std::string(kMonths[month].substr(0, 3));
    case 'B':
      return std::string(kMonths[month]);
    case 'd':
      return number(time.tm_mday, 2, bare);
    case 'e':
      return bare ? std::to_string(time.tm_mday) : padded(time.tm_mday, 2, ' ');
    case 'F':
      return convert(time, 'Y', false) + '-' + convert(time, 'm', false) + '-' + convert(time, 'd', false);
    case 'H':
      return number(time.tm_hour, 2, bare);
    case 'I':
      return number(hour12, 2, bare);
    case 'j':
      return number(time.tm_yday + 1, 3, bare);
    case 'm':
      return number(time.tm_mon + 1, 2, bare);
    case 'M':
      return number(time.tm_min, 2, bare);
    case 'p':
      return time.tm_hour < 12 ? "AM" : "PM";
    case 'S':
      return number(time.tm_sec, 2, bare);
    case 'T':
      return convert(time, 'H', false) + ':' + convert(time, 'M', false) + ':' + convert(time, 'S', false);
    case 'y':
      return number((time.tm_year + 1900) % 100, 2, bare);
    case 'Y':
      return std::to_string(time.tm_year + 1900);
    case '%':
      return "%";
    default:
      return "";
  }
}

}  // namespace

std::string format_time(Runtime& runtime, std::string_view format) {
  runtime.reserve(format.size());
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const bool bare = format.substr(i + 1, 1) == "-";
    i += bare ? 2 : 1;
    const std::string text = i < format.size() ? convert(runtime.now(), format[i], bare) : "";
    if (text.empty()) {
      const std::string_view rest = format.substr(std::min(i, format.size()));
      runtime.fail("the conversion %", cut_utf8(rest, rest.empty() ? 0 : code_point_size(rest[0])),
                   " of strftime_now() is not supported");
    }
    runtime.grow(out.size(), text.size());
    out += text;
  }
  return out;
}

}  // namespace xlstm::text::jinja
